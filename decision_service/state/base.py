"""The state store port: the projection of the log that decisions are made on.

The store keeps of each shopper the fold of the log (`policies.shopper.state`), and the pending facts, which the log
will contain in a moment: see `pending`.

The port has a part for each use: deciding, following the log, recovery, verification. A store implements all of them,
and `tests/decision_service/state/test_conformance.py` holds its laws.

Failure policy: the store fails closed. When it cannot be reached, was emptied, restarted or restored, or lacks rows of
the log after such an event, every call of the deciding part raises `StateUnavailable`. Decisions that are not critical
then hold with ``degraded`` until the store contains the log again, and the log refuses a reservation of an earlier
incarnation, so nothing is sent without the rules. Nothing that was acknowledged is lost: everything here can be folded
from the log again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Protocol

from decision_service.state.contents import ContainedLog, StoredState
from decision_service.state.pending import Reservation, ReserveResult, Withdrawal
from decision_service.state.shopper_keys import ShopperKey
from decision_service.state.updates import StateUpdate
from policies.rules.budget import BudgetDay
from policies.rules.uses import Use
from policies.shopper.state import ShopperState


class StateUnavailable(Exception):
    """The state store cannot answer, or does not contain the log yet."""


class UnreadableState(Exception):
    """What is stored of a shopper is no state."""


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
