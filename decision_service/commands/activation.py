"""Activations: what happens to a decided send before it leaves: the activation gate, and cancelling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from decision_service.log.base import CROSSING, Condition, Fenced, Precluded, Result
from decision_service.log.base import Conflict as Known
from decision_service.log.keys import activation_key, cancellation_key
from decision_service.log.row_times import late_row_time
from decision_service.projection.writer import Draft, LogWriter
from decision_service.queries.decision_history import DecisionHistory, add_withdrawals, read_history
from decision_service.schemas.problems import Conflict, NotFound, Unavailable
from decision_service.state.base import StateStore, StateUnavailable, Stored
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.rulebook import Rulebook
from policies.records.outcomes import TAKING_BACK
from policies.records.reasons import Reason
from policies.records.rows import ActivationRow, CancellationRow, DecisionRow, OutcomeRow
from policies.rules.activation import refusal


@dataclass(frozen=True)
class Permission:
    """Whether a send may leave, and why not."""

    deliver: bool
    reason: str | None = None

    def document(self) -> dict[str, object]:
        """Return the answer on the wire.

        >>> Permission(True).document()
        {'deliver': True}
        """
        return {"deliver": True} if self.deliver else {"deliver": False, "reason": self.reason}


class Activations:
    """Activates and cancels decided sends.

    Parameters
    ----------
    store, journal
        The shoppers' states and the log.
    names
        Makes the keys that states are kept under.
    rulebook
        Returns the catalogue in force.
    """

    def __init__(
        self, store: StateStore, journal: LogWriter, names: ShopperKeys, rulebook: Callable[[], Rulebook]
    ) -> None:
        self._store = store
        self._journal = journal
        self._names = names
        self._rulebook = rulebook

    async def activate(self, event_id: str, now: float) -> Permission:
        """Ask the rules once more because the send is about to leave.

        The first answer stands, and is given again, unless something has taken the send back since.

        Raises
        ------
        NotFound
            When there is no such decision.
        Conflict
            When it sent nothing.
        Unavailable
            When log or state store are away.
        """
        while True:
            history = await self._history(event_id)
            if history.activation is not None or history.cancellation is not None:
                return await self._answer_again(history, now)
            decision, stored = history.decision, await self._read(history.decision)
            reason = _unreachable(history) or refusal(decision, stored.state, self._rulebook(), now)
            permission = Permission(reason is None, reason.name if reason is not None else None)
            at, before = await self._row_time(decision, permission, now)
            row = ActivationRow(at, event_id, decision.shopper_id, permission.deliver, permission.reason)
            condition = Condition(
                unless=frozenset({CancellationRow.kind}),
                before=before,
                since=stored.position,
                shoppers=(decision.shopper_id, self._names.key(decision.shopper_id)),
                kinds=CROSSING,
            )
            draft = Draft(row, activation_key(event_id), self._journal.incarnation, condition)
            result = await self._journal.append(draft)
            if isinstance(result, Fenced):
                raise Unavailable("the state store began anew meanwhile")
            await self._journal.contained(result.position if isinstance(result, Precluded) else 0)
            if not isinstance(result, Precluded | Known):
                return permission

    async def cancel(self, event_id: str, now: float) -> None:
        """Take back a send that will not leave.

        Raises
        ------
        NotFound
            When there is no such decision.
        Conflict
            When it sent nothing, an outcome is known already, or its attribution window is over.
        Unavailable
            When the log is away.
        """
        result: Result | None = None
        while result is None or (isinstance(result, Precluded) and result.erased):
            history = await self._history(event_id)
            if history.cancellation is not None:
                return
            decision = history.decision
            row = CancellationRow(now, event_id, decision.shopper_id)
            ends_at = decision.window_ends_at if decision.window_ends_at is not None else now
            condition = Condition(unless=frozenset({OutcomeRow.kind}), before=ends_at, owner=decision.shopper_id)
            result = await self._journal.append(Draft(row, cancellation_key(event_id), condition=condition))
        if isinstance(result, Precluded):
            raise Conflict("an outcome is known already, or the attribution window is over")
        await self._journal.contained()

    async def _history(self, event_id: str) -> DecisionHistory:
        """Read what happened to a decision that sent something."""
        history = await asyncio.to_thread(read_history, self._journal.log, event_id)
        if history is None:
            raise NotFound(f"there is no decision {event_id!r}")
        if not history.decision.is_delivered:
            raise Conflict(f"decision {event_id!r} sends nothing ({history.decision.hold_reason})")
        return history

    async def _answer_again(self, history: DecisionHistory, now: float) -> Permission:
        """Return the first answer, or why the send may not leave any more: see `policies.sends`."""
        first = history.activation
        if first is not None and not first.deliver:
            return Permission(False, first.reason)
        history = await asyncio.to_thread(add_withdrawals, self._journal.log, history)
        reason = history.status(now).gate_reason
        return Permission(reason is None, reason)

    async def _row_time(self, decision: DecisionRow, permission: Permission, now: float) -> tuple[float, float]:
        """Return the time of the gate's row, and what the log's watermark must lie below when it is written.

        A refusal may come when a send that did not wait for the gate was learned from already.
        """
        if permission.deliver or decision.deferred:
            return now, inf
        head = await asyncio.to_thread(self._journal.log.head)
        return late_row_time(now, decision.window_ends_at, head.watermark)

    async def _read(self, decision: DecisionRow) -> Stored:
        try:
            return await self._store.read(self._names.key(decision.shopper_id))
        except StateUnavailable as away:
            raise Unavailable(f"the shopper's state is away: {away}") from away


def _unreachable(history: DecisionHistory) -> Reason | None:
    """Return the reason against a send that cannot reach anybody, also where an outcome said so too late."""
    is_lost = any(outcome.type in TAKING_BACK for outcome in history.outcomes)
    return Reason.unreachable if is_lost else None
