"""The state store port: the projection of the log that decides are made on.

What is kept per shopper is the fold of the log (`policies.shopper.state.fold`), together with *claims*: facts
that are ahead of the log for a moment. A reservation is a claim on a place under the caps, made before its
decision row is written; a withdrawal is a claim on a channel, made before its outcome row is written.

Failure policy: the store fails closed. When it cannot be reached, was emptied, restarted or restored, or
when rows of the log are missing from it after such an event, every call raises `StateUnavailable`: non-critical
decisions hold with ``degraded`` until the store has caught up with the log, and a reservation made in an
earlier incarnation is refused by the log itself (its fence), so nothing is sent unguarded. Nothing that
was acknowledged is lost, because everything here can be folded from the log again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ulid import ULID

from decision_service.state.shopper_keys import ShopperKey
from policies.rules.budget import BudgetDay, Spent
from policies.shopper.state import Send, ShopperState

RESERVED_FOR_S = 30
"""How long a reserved place holds: its row is written by then, or not at all.

A claim may be dropped after twice as long. The store ages claims by the time of day, and so does the log judge rows:
by a clock that stands still while a machine sleeps, a row could come after its claim was dropped. What remains is a
commit, or a difference between the clocks of two machines, that takes as long again.
"""


class StateUnavailable(Exception):
    """The state store cannot answer, or does not contain the log yet."""


@dataclass(frozen=True)
class StoredState:
    """A shopper's state as stored, and the version that a reservation must name.

    ``state`` already counts the claims: reserved places are among its sends, withdrawn channels have no
    consent. It contains the log at least up to ``position``; ``spent`` holds the budget days asked for.
    """

    state: ShopperState
    version: int
    position: int = 0
    spent: Spent = field(default_factory=dict)


@dataclass(frozen=True)
class Reservation:
    """A wish for a place: valid only while the shopper's version is the one it was decided on.

    ``attempt`` is unique for each try, so a retry of the same event never frees the place of another. With
    a ``budget`` (millionths) the send's cost must fit into what is left of its channel's UTC day.
    """

    shopper: ShopperKey
    version: int
    attempt: str
    send: Send
    catalogue: int
    budget: int | None = None


@dataclass(frozen=True)
class Reserved:
    """The place is taken."""


@dataclass(frozen=True)
class StateChanged:
    """The shopper's state moved meanwhile; nothing was taken."""

    stored: StoredState


@dataclass(frozen=True)
class NoLongerAllowed:
    """Nothing was taken: the day's budget does not pay for it, or another catalogue is in force."""


@dataclass(frozen=True)
class Withdrawal:
    """A claim that a shopper's consent for a channel ends now, ahead of the row that says so."""

    shopper: ShopperKey
    channel: str
    attempt: str

    @classmethod
    def of(cls, shopper: ShopperKey, channel: str) -> Withdrawal:
        """Make a claim of its own."""
        return cls(shopper, channel, str(ULID()))


@dataclass(frozen=True)
class Projection:
    """What a batch of rows makes of one shopper: the folded state, and the claims that it settles.

    Without a state nothing is kept of the shopper.
    """

    state: ShopperState | None
    settled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """What a batch of rows, those after position ``before`` up to ``after``, makes of the store.

    ``spent`` is what is added to the budget days (millionths, negative for what was given back),
    ``catalogue`` the version that came into force, if one did.
    """

    before: int
    after: int
    shoppers: Mapping[ShopperKey, Projection]
    spent: Mapping[BudgetDay, int] = field(default_factory=dict)
    catalogue: int | None = None


@dataclass(frozen=True)
class FoldedState:
    """A shopper's folded state (claims apart) and the claims upon it, by their field names."""

    state: ShopperState
    claims: Mapping[str, bytes] = field(default_factory=dict)


class StateStore(Protocol):
    """Where the shoppers' states are kept. Every call may raise `StateUnavailable`."""

    async def read(self, shopper: ShopperKey, budget_days: Sequence[BudgetDay] = ()) -> StoredState:
        """Give a shopper's state; a shopper never seen has the empty one."""
        ...

    async def reserve(self, reservation: Reservation) -> Reserved | StateChanged | NoLongerAllowed:
        """Take a place if nothing about the shopper has changed since it was read."""
        ...

    async def release(self, reservation: Reservation) -> None:
        """Give an unconfirmed place back."""
        ...

    async def withdraw(self, withdrawals: Iterable[Withdrawal]) -> None:
        """Withdraw consent ahead of the log: the next decide, even one that is running, must see it."""
        ...

    async def retract(self, withdrawals: Iterable[Withdrawal]) -> None:
        """Take back withdrawals that the log knew already."""
        ...

    async def position(self) -> int:
        """Give the log position up to which every row is contained."""
        ...

    async def folded(self, shoppers: Iterable[ShopperKey]) -> dict[ShopperKey, FoldedState]:
        """Give the folded states that a batch of rows is to be applied to."""
        ...

    async def apply(self, step: Step) -> bool:
        """Write what a batch of rows makes of the store; False when others did already."""
        ...
