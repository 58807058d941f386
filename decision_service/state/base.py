"""The state store port: the projection of the log that decides are made on.

What is kept per shopper is the fold of the log (`policies.shopper.fold`), together with *claims*: facts
that are ahead of the log for a moment. A reservation is a claim on a place under the caps, made before its
decision row is written; a withdrawal is a claim on a channel, made before its outcome row is written.

Failure policy: the store fails closed. When it cannot be reached, was emptied, restarted or restored, or
when rows of the log are missing from it after such an event, every call raises `StateAway`: non-critical
decisions hold with ``degraded`` until the store has caught up with the log, and a reservation made in an
earlier incarnation is refused by the log itself (its fence), so nothing is sent unguarded. Nothing that
was acknowledged is lost, because everything here can be folded from the log again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ulid import ULID

from policies.shopper import Send, ShopperState


class StateAway(Exception):
    """The state store cannot answer, or does not contain the log yet."""


@dataclass(frozen=True)
class Stored:
    """A shopper's state as stored, and the version that a reservation must name.

    ``state`` already counts the claims: reserved places are among its sends, withdrawn channels have no
    consent.
    """

    state: ShopperState
    version: int


@dataclass(frozen=True)
class Reservation:
    """A wish for a place: valid only while the shopper's version is the one it was decided on.

    ``attempt`` is unique for each try, so a retry of the same event never frees the place of another.
    """

    shopper_id: str
    version: int
    attempt: str
    send: Send


@dataclass(frozen=True)
class Reserved:
    """The place is taken."""


@dataclass(frozen=True)
class Moved:
    """The shopper's state moved meanwhile; nothing was taken."""

    stored: Stored


@dataclass(frozen=True)
class Withdrawal:
    """A claim that a shopper's consent for a channel ends now, ahead of the row that says so."""

    shopper_id: str
    channel: str
    attempt: str

    @classmethod
    def of(cls, shopper_id: str, channel: str) -> Withdrawal:
        """Make a claim of its own."""
        return cls(shopper_id, channel, str(ULID()))


@dataclass(frozen=True)
class Projection:
    """What a batch of rows makes of one shopper: the folded state, and the claims that it settles."""

    state: ShopperState
    settled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Folded:
    """A shopper's folded state (claims apart) and the claims upon it, by their field names."""

    state: ShopperState
    claims: Mapping[str, bytes] = field(default_factory=dict)


class StateStore(Protocol):
    """Where the shoppers' states are kept. Every call may raise `StateAway`."""

    async def read(self, shopper_id: str) -> Stored:
        """Give a shopper's state; a shopper never seen has the empty one."""
        ...

    async def reserve(self, reservation: Reservation) -> Reserved | Moved:
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

    async def folded(self, shopper_ids: Iterable[str]) -> dict[str, Folded]:
        """Give the folded states that a batch of rows is to be applied to."""
        ...

    async def apply(self, before: int, after: int, projections: Mapping[str, Projection]) -> bool:
        """Write what rows ``before``+1 … ``after`` make of the shoppers; False when others did already."""
        ...
