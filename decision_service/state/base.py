"""The state store port: the projection of the log that decisions are made on.

The store keeps of each shopper the fold of the log (`policies.shopper.state`), and facts that are *pending*: the log
will contain them in a moment. A reservation is pending until its decision row is written, a withdrawal until its
outcome, preferences or erasure row is.

The port has a part for each use: deciding, following the log, recovery, verification. A store implements all of them,
and `tests/decision_service/state/test_conformance.py` holds its laws.

Failure policy: the store fails closed. When it cannot be reached, was emptied, restarted or restored, or lacks rows of
the log after such an event, every call of the deciding part raises `StateUnavailable`. Decisions that are not critical
then hold with ``degraded`` until the store contains the log again, and the log refuses a reservation of an earlier
incarnation, so nothing is sent without the rules. Nothing that was acknowledged is lost: everything here can be folded
from the log again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ulid import ULID

from decision_service.state.shopper_keys import ShopperKey
from policies.records.rows import Row
from policies.records.withholding import withheld_paths
from policies.rules.budget import BudgetDay, Spent
from policies.rules.uses import Use, Uses
from policies.shopper.state import NEW_SHOPPER, Send, ShopperState

RESERVED_FOR_S = 30
"""How long a reservation holds: its row is written by then, or never.

A pending fact may be dropped after twice as long. Both the store and the log use wall time, so a machine that was
suspended cannot commit a row after its reservation was dropped. Not covered: a commit that takes longer than 30 s more,
or a difference between the clocks of two machines that is larger.
"""


class StateUnavailable(Exception):
    """The state store cannot answer, or does not contain the log yet."""


class UnreadableState(Exception):
    """What is stored of a shopper is no state."""


@dataclass(frozen=True)
class StoredState:
    """A shopper's state, and the version that a reservation must name.

    Parameters
    ----------
    state
        The state with all pending facts: reservations are among its sends, and what is withdrawn is withheld.
    version
        Changes with every change of the shopper's state.
    position
        The state contains the log at least up to this position.
    spent
        What was spent on the budget days that were asked for.
    folded
        The state without pending facts: their rows may never be written.
    """

    state: ShopperState
    version: int
    position: int = 0
    spent: Spent = field(default_factory=dict)
    folded: ShopperState = NEW_SHOPPER


@dataclass(frozen=True)
class Reservation:
    """A send to be reserved: it counts under the caps from then on.

    Parameters
    ----------
    shopper
        Who gets the send.
    version
        The version of the state that the send was decided on.
    attempt
        The event id, a slash, and a token of this try: a retry never releases the reservation of another try.
    send
        The send.
    catalogue
        The version of the catalogue that the send was decided with.
    budget
        What its channel may spend on its UTC day in millionths, None without a limit.
    former_channels
        Former names of the channel: what was spent under these names counts too.
    """

    shopper: ShopperKey
    version: int
    attempt: str
    send: Send
    catalogue: int
    budget: int | None = None
    former_channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reserved:
    """The send is reserved."""


@dataclass(frozen=True)
class StateChanged:
    """Nothing was reserved: the shopper's state has changed since it was read."""


@dataclass(frozen=True)
class NoLongerAllowed:
    """Nothing was reserved: the day's budget does not pay for the send, or another catalogue is in force."""


ReserveResult = Reserved | StateChanged | NoLongerAllowed


@dataclass(frozen=True)
class Withdrawal:
    """A shopper withholds something, ahead of the row that says so.

    Parameters
    ----------
    path
        What is withheld, for example ``consent.push``: see `policies.records.withholding`.
    """

    shopper: ShopperKey
    path: str
    attempt: str

    @classmethod
    def of(cls, shopper: ShopperKey, path: str) -> Withdrawal:
        return cls(shopper, path, str(ULID()))

    @classmethod
    def all_of(cls, shopper: ShopperKey, row: Row) -> list[Withdrawal]:
        """Return a withdrawal for each path that a row withholds."""
        return [cls.of(shopper, path) for path in withheld_paths(row)]


@dataclass(frozen=True)
class ShopperUpdate:
    """What a batch of rows says of a shopper: the new state, and which pending facts are in the log now.

    Parameters
    ----------
    state
        The state after the rows, None where they do not change the state. Nothing is kept of `NEW_SHOPPER`.
    decided
        The event ids of the decisions among the rows: they settle all reservations of these event ids.
    withheld
        What the rows withhold: they settle the withdrawals of these paths. The path ``consent`` settles the
        withdrawals of consent on every channel.
    """

    state: ShopperState | None = None
    decided: Sequence[str] = ()
    withheld: Sequence[str] = ()


@dataclass(frozen=True)
class StateUpdate:
    """What a batch of rows changes in the store.

    Parameters
    ----------
    before, after
        The rows follow the one at position ``before``, and the last one is at position ``after``.
    shoppers
        The shoppers whom the rows are about.
    spent
        What is added to the budget days in millionths, negative for what was given back.
    catalogue
        The version of the catalogue that came into force, if one did.
    uses
        What is added to the uses of names, negative for uses that ended.
    mark
        The mark of the row at position ``after``: see `projection.same_log`.
    """

    before: int
    after: int
    shoppers: Mapping[ShopperKey, ShopperUpdate]
    spent: Mapping[BudgetDay, int] = field(default_factory=dict)
    catalogue: int | None = None
    uses: Uses = field(default_factory=dict)
    mark: str = ""


@dataclass(frozen=True)
class ContainedLog:
    """Which log a store says that it contains, and how much of it.

    Parameters
    ----------
    position
        The store contains every row up to this position.
    mark
        The mark of the row at this position; None where an earlier version wrote the position.
    beginning
        The name of the beginning of the last complete incarnation; None where there was none yet.
    """

    position: int = 0
    mark: str | None = None
    beginning: str | None = None


class DecisionStates(Protocol):
    """The part for deciding. Every call may raise `StateUnavailable`."""

    @property
    def horizon_s(self) -> float:
        """How far back rules may look in the states."""
        ...

    async def read(self, shopper: ShopperKey, budget_days: Sequence[BudgetDay] = ()) -> StoredState:
        """Return a shopper's state; a shopper never seen has the empty one."""
        ...

    async def read_many(
        self, shoppers: Sequence[ShopperKey], budget_days: Sequence[BudgetDay] = ()
    ) -> list[StoredState]:
        """Return the states of shoppers at one moment, each with what was spent on all budget days.

        Raises
        ------
        UnreadableState
            When what is stored of a shopper is no state.
        """
        ...

    async def reserve_many(self, reservations: Sequence[Reservation]) -> list[ReserveResult]:
        """Reserve each send if nothing about its shopper has changed since the state was read.

        The reservations are made in order. Each increments the version of its shopper's state, so a second one of the
        same shopper names the next version. It is made only if the first one was: otherwise it is `StateChanged`.
        """
        ...

    async def release(self, reservations: Iterable[Reservation]) -> None:
        """Undo reservations that no row has confirmed."""
        ...

    async def withdraw(self, withdrawals: Iterable[Withdrawal]) -> None:
        """Withhold something ahead of the log: the next decision, even one that is under way, must see it."""
        ...

    async def retract(self, withdrawals: Iterable[Withdrawal]) -> None:
        """Undo withdrawals whose rows were not written, because the log had them already."""
        ...


class ProjectedStates(Protocol):
    """The part for following the log. Every call may raise `StateUnavailable`."""

    @property
    def horizon_s(self) -> float:
        """How long states keep sends that rules look back at: see `policies.shopper.retention`."""
        ...

    async def position(self) -> int:
        """Return the log position up to which the store contains every row."""
        ...

    async def read_folded_at(self, position: int, shoppers: Collection[ShopperKey]) -> dict[ShopperKey, ShopperState]:
        """Return the states, without pending facts, that the rows after a position are to be applied to.

        If the store is not at this position, the states may be those of another position; then `apply` refuses what
        was made of them.

        Raises
        ------
        UnreadableState
            When what is stored of a shopper is no state.
        """
        ...

    async def apply(self, update: StateUpdate) -> bool:
        """Write what a batch of rows changes; return False when the store is not at the position before it.

        Raises
        ------
        StateUnavailable
            Also when another version of the fold makes the states.
        """
        ...


class RecoverableStates(Protocol):
    """The part for recovery: the store is trusted only while it contains the log.

    An *incarnation* is a time in which the store has lost nothing. Each begins with a fence row in the log, and has
    the number of fences up to there.
    """

    @property
    def incarnation(self) -> int | None:
        """The incarnation that this process trusts, None while it trusts none."""
        ...

    async def prepare(self) -> None:
        """Make the store ready for use.

        Raises
        ------
        StateUnavailable
            When it cannot be reached, or may drop states by itself.
        """
        ...

    async def is_current(self, incarnation: int) -> bool:
        """Return whether the running store was brought up to this incarnation and has lost nothing since.

        States that another version of the fold made are not current.
        """
        ...

    async def trust(self, incarnation: int) -> None:
        """Answer calls from now on: the store contains the log as of this incarnation."""
        ...

    async def stored_fold_version(self) -> int | None:
        """Return the version of the fold that made the states, None where it is not known."""
        ...

    def keep_sends_for(self, horizon_s: float) -> None:
        """Keep sends for a time from now on: states with another horizon are not current."""
        ...

    def distrust(self) -> None:
        """Answer no call until `trust`: rows of the log may be missing."""
        ...

    async def contained_log(self) -> ContainedLog:
        """Return which log the store contains, also one that was loaded from a snapshot."""
        ...

    async def stored_incarnation(self) -> int | None:
        """Return the incarnation that the store was last brought up to, even if it was restarted since."""
        ...

    async def begin(self, seen: int | None, *, anew: bool = False) -> str | None:
        """Begin a new incarnation: nobody may decide until it is complete, and all pending facts are dropped.

        Parameters
        ----------
        seen
            The `stored_incarnation` when the loss was found.
        anew
            Forget all states. They are forgotten in any case where it is not known how much of the log they contain,
            and where another version of the fold made them.

        Returns
        -------
        A name for `complete`. If somebody else has begun already, it is the name of that beginning. None if somebody
        else has completed an incarnation since ``seen`` was read.
        """
        ...

    async def complete(self, begun: str, incarnation: int) -> bool:
        """Declare that the store contains the log, and trust it; return False if another beginning came in between."""
        ...

    async def drop_pending(self, older_than_s: int) -> None:
        """Drop pending facts so old that their rows are never written."""
        ...

    async def drop_budget_days(self, before: int) -> None:
        """Forget what was spent, and which names sends used, on UTC days that nothing concerns any more."""
        ...


class InspectableStates(Protocol):
    """The part for verification. Every call may raise `StateUnavailable`."""

    async def read_folded(self, shoppers: Collection[ShopperKey]) -> dict[ShopperKey, ShopperState]:
        """Return the stored states without pending facts.

        Raises
        ------
        UnreadableState
            When what is stored of a shopper is no state.
        """
        ...

    def shoppers(self) -> AsyncIterator[ShopperKey]:
        """Iterate over the stored shoppers.

        A shopper may come twice, or although nothing is kept any more; one that changes meanwhile may be left out.
        """
        ...

    async def uses(self) -> dict[Use, int]:
        """Return how often preferences and sends of the contained log use names of the catalogue."""
        ...

    async def spending(self) -> dict[BudgetDay, int]:
        """Return what the sends of the contained log cost by channel and UTC day, in millionths."""
        ...


class StateStore(DecisionStates, ProjectedStates, RecoverableStates, InspectableStates, Protocol):
    """Where the shoppers' states of one log are kept."""

    async def close(self) -> None: ...
