"""Activations: what happens to a decided send before it leaves: the activation gate, and cancelling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from decision_service.errors import DecisionConflict, NotFound, Unavailable
from decision_service.log.base import AppendResult, ConditionFailed, DuplicateKey, NewRow, StaleIncarnation
from decision_service.log.condition import STATE_CHANGING_KINDS, AppendCondition, Query
from decision_service.log.keys import activation_key, cancellation_key
from decision_service.log.row_times import RowTime, late_row_time
from decision_service.projection.writer import LogWriter
from decision_service.queries.decision_history import DecisionHistory, add_withdrawals, read_history
from decision_service.state.base import StateStore, StateUnavailable, StoredState
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


class Activations:
    """Activates and cancels decided sends.

    Parameters
    ----------
    store, log_writer
        The shoppers' states and the log.
    shopper_keys
        Makes the keys that states are kept under.
    rulebook
        Returns the catalogue in force.
    """

    def __init__(
        self, store: StateStore, log_writer: LogWriter, shopper_keys: ShopperKeys, rulebook: Callable[[], Rulebook]
    ) -> None:
        self._store = store
        self._log_writer = log_writer
        self._shopper_keys = shopper_keys
        self._rulebook = rulebook

    async def activate(self, event_id: str, now: float) -> Permission:
        """Ask the rules once more because the send is about to leave.

        The first answer stands, and is given again, unless something has taken the send back since.

        Raises
        ------
        NotFound
            When there is no such decision.
        DecisionConflict
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
            time = await self._row_time(decision, permission, now)
            row = ActivationRow(
                at=time.at,
                event_id=event_id,
                shopper_id=decision.shopper_id,
                deliver=permission.deliver,
                reason=permission.reason,
            )
            shoppers = (decision.shopper_id, self._shopper_keys.key(decision.shopper_id))
            condition = AppendCondition(
                fail_if=(
                    Query((CancellationRow.kind,), event_id=event_id),
                    # An activation may move its send and reserves nothing, so no decision may come in between either.
                    Query((*STATE_CHANGING_KINDS, DecisionRow.kind), shoppers, after=stored.position),
                ),
                watermark_below=time.watermark_below,
                watermark_from=time.watermark_from,
                incarnation=self._log_writer.incarnation,
            )
            result = await self._log_writer.append(NewRow(row, activation_key(event_id), condition))
            if isinstance(result, StaleIncarnation):
                raise Unavailable("the state store began anew meanwhile")
            await self._log_writer.wait_until_contained(result.position if isinstance(result, ConditionFailed) else 0)
            if not isinstance(result, ConditionFailed | DuplicateKey):
                return permission

    async def cancel(self, event_id: str, now: float) -> None:
        """Take back a send that will not leave.

        Raises
        ------
        NotFound
            When there is no such decision.
        DecisionConflict
            When it sent nothing, an outcome is known already, or its attribution window is over.
        Unavailable
            When the log is away.
        """
        result: AppendResult | None = None
        while result is None or (isinstance(result, ConditionFailed) and result.shopper_erased):
            history = await self._history(event_id)
            if history.cancellation is not None:
                return
            decision = history.decision
            row = CancellationRow(now, event_id, decision.shopper_id)
            ends_at = decision.window_ends_at if decision.window_ends_at is not None else now
            condition = AppendCondition(
                fail_if=(Query((OutcomeRow.kind,), event_id=event_id),),
                event_owner=decision.shopper_id,
                watermark_below=ends_at,
            )
            result = await self._log_writer.append(NewRow(row, cancellation_key(event_id), condition))
        if isinstance(result, ConditionFailed):
            raise DecisionConflict("an outcome is known already, or the attribution window is over")
        await self._log_writer.wait_until_contained()

    async def _history(self, event_id: str) -> DecisionHistory:
        """Read what happened to a decision that sent something."""
        history = await asyncio.to_thread(read_history, self._log_writer.log, event_id)
        if history is None:
            raise NotFound(f"there is no decision {event_id!r}")
        if not history.decision.is_delivered:
            raise DecisionConflict(f"decision {event_id!r} sends nothing ({history.decision.hold_reason})")
        return history

    async def _answer_again(self, history: DecisionHistory, now: float) -> Permission:
        """Return the first answer, or why the send may not leave any more: see `policies.sends`."""
        first = history.activation
        if first is not None and not first.deliver:
            return Permission(False, first.reason)
        history = await asyncio.to_thread(add_withdrawals, self._log_writer.log, history)
        reason = history.status(now).gate_reason
        return Permission(reason is None, reason)

    async def _row_time(self, decision: DecisionRow, permission: Permission, now: float) -> RowTime:
        """Return the time of the gate's row, and the watermarks at which it may be written.

        A refusal may come when a send that did not wait for the gate was learned from already.
        """
        if permission.deliver or decision.deferred:
            return RowTime(now)
        head = await asyncio.to_thread(self._log_writer.log.head)
        return late_row_time(now, decision.window_ends_at, head.watermark)

    async def _read(self, decision: DecisionRow) -> StoredState:
        try:
            return await self._store.read(self._shopper_keys.key(decision.shopper_id))
        except StateUnavailable as away:
            raise Unavailable(f"the shopper's state is away: {away}") from away


def _unreachable(history: DecisionHistory) -> Reason | None:
    """Return the reason against a send that cannot reach anybody, also where an outcome said so too late."""
    is_lost = any(outcome.type in TAKING_BACK for outcome in history.outcomes)
    return Reason.unreachable if is_lost else None
