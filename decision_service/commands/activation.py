"""Activations: what happens to a decided send before it leaves: the activation gate, and cancelling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from decision_service.errors import DecisionConflict, NotFound, Unavailable
from decision_service.log.base import Appended, AppendResult, ConditionFailed, DuplicateKey, NewRow, StaleIncarnation
from decision_service.log.condition import AppendCondition, Query, kinds_that_change
from decision_service.log.keys import activation_key, cancellation_key
from decision_service.log.row_times import RowTime, late_row_time
from decision_service.projection.writer import LogWriter
from decision_service.queries.decision_history import DecisionHistory, add_shopper_rows, read_history
from decision_service.state.base import StateStore, StateUnavailable
from decision_service.state.contents import StoredState
from decision_service.state.reach import check_reach
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.rows import ACTIVATION_GRACE_S, ActivationRow, CancellationRow, DecisionRow, OutcomeRow
from policies.rules.activation import refusal, withheld


@dataclass(frozen=True)
class Permission:
    """Whether a send may leave, and why not.

    Parameters
    ----------
    send_at
        Where the caller asks too early: the send time, at which to ask again.
    replayed
        The answer was given before, and is given again.
    """

    deliver: bool
    reason: str | None = None
    send_at: float | None = None
    replayed: bool = False


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
        """Say whether a send may leave at this moment; the first answer is logged, and stands.

        A ``true`` stands for an hour, unless something speaks against the send since: then the answer is no, and
        nothing more is logged. Asked too early, nothing is logged either.

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
            history = await self._read_history(event_id)
            if (known := _known_answer(history, now)) is not None:
                return known
            stored = await self._read_state(history)
            # Once more: the state may contain rows that were not in the log yet.
            history = await self._read_history(event_id)
            if (known := _known_answer(history, now)) is not None:
                return known
            if history.activation is not None:
                reason = withheld(history.decision, stored.state, self._rulebook())
                return Permission(reason is None, None if reason is None else reason.name, replayed=reason is None)
            permission = self._judge(history, stored, now)
            if permission.send_at is not None or await self._log(permission, history, stored, now):
                return permission

    def _judge(self, history: DecisionHistory, stored: StoredState, now: float) -> Permission:
        """Return the first answer of the gate."""
        if history.stop is not None:
            return Permission(False, history.stop)
        refused = refusal(history.decision, stored.state, self._rulebook(), now)
        if refused is None:
            return Permission(True)
        return Permission(False, refused.reason, None if refused.stands else history.decision.send_at)

    async def _log(self, permission: Permission, history: DecisionHistory, stored: StoredState, now: float) -> bool:
        """Log the first answer; return False where something came in between, so that the gate must judge again.

        Raises
        ------
        Unavailable
            When the log is away, or the state store has lost something.
        """
        decision = history.decision
        time = await self._row_time(decision, permission, now)
        row = ActivationRow(
            at=time.at,
            event_id=decision.event_id,
            shopper_id=decision.shopper_id,
            deliver=permission.deliver,
            reason=permission.reason,
            left_at=time.at if permission.deliver else None,
        )
        shoppers = (decision.shopper_id, self._shopper_keys.key(decision.shopper_id))
        # An activation may move its send and reserves nothing, so no decision may come in between either.
        kinds = (*kinds_that_change(ends=bool(decision.ends_on)), DecisionRow.kind)
        condition = AppendCondition(
            fail_if=(
                Query((CancellationRow.kind,), event_id=decision.event_id),
                Query(kinds, shoppers, after=stored.position),
            ),
            event_owner=decision.shopper_id,
            watermark_below=time.watermark_below,
            watermark_from=time.watermark_from,
            incarnation=self._log_writer.incarnation,
        )
        result = await self._log_writer.append(NewRow(row, activation_key(decision.event_id), condition))
        if isinstance(result, StaleIncarnation):
            raise Unavailable("the state store began anew meanwhile")
        await self._log_writer.wait_until_contained(result.position if isinstance(result, ConditionFailed) else 0)
        return isinstance(result, Appended)

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
        while not isinstance(result, Appended | DuplicateKey):
            if isinstance(result, ConditionFailed) and not result.shopper_erased:
                raise DecisionConflict("an outcome is known already, or the attribution window is over")
            history = await self._read_history(event_id)
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
        await self._log_writer.wait_until_contained()

    async def _read_history(self, event_id: str) -> DecisionHistory:
        """Read what happened to a decision that sent something."""
        history = await asyncio.to_thread(self._find_history, event_id)
        if history is None:
            raise NotFound(f"there is no decision {event_id!r}")
        if not history.decision.is_delivered:
            raise DecisionConflict(f"decision {event_id!r} sends nothing ({history.decision.hold_reason})")
        return history

    def _find_history(self, event_id: str) -> DecisionHistory | None:
        history = read_history(self._log_writer.log, event_id)
        return None if history is None else add_shopper_rows(self._log_writer.log, history)

    async def _row_time(self, decision: DecisionRow, permission: Permission, now: float) -> RowTime:
        """Return the time of the gate's row, and the watermarks at which it may be written.

        A refusal may come when a send that did not wait for the gate was learned from already.
        """
        if permission.deliver or decision.deferred:
            return RowTime(now)
        head = await asyncio.to_thread(self._log_writer.log.head)
        return late_row_time(now, decision.window_ends_at, head.watermark)

    async def _read_state(self, history: DecisionHistory) -> StoredState:
        """Read a shopper's state that contains the decision."""
        await self._log_writer.wait_until_contained(history.position)
        try:
            check_reach(self._store, self._rulebook())
            return await self._store.read(self._shopper_keys.key(history.decision.shopper_id))
        except StateUnavailable as away:
            raise Unavailable(f"the shopper's state is away: {away}") from away


def _known_answer(history: DecisionHistory, now: float) -> Permission | None:
    """Return the answer that the rows of the log give, None where the rules must be asked."""
    first, stop = history.activation, history.stop
    if first is not None and not first.deliver:
        return Permission(False, first.reason, replayed=True)
    if stop is not None and (first is not None or history.cancellation is not None):
        return Permission(False, stop)
    if first is None:
        return None
    is_over = history.left_at is not None and now > history.left_at + ACTIVATION_GRACE_S
    return Permission(False, Reason.expired.name) if is_over else None
