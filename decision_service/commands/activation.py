"""Activations: what happens to a decided send before it leaves — the activation gate and cancelling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from decision_service.errors import DecisionConflict, NotFound, Unavailable
from decision_service.log.base import AppendResult, ConditionFailed, DuplicateKey, NewRow, StaleIncarnation
from decision_service.log.condition import STATE_CHANGING_KINDS, AppendCondition, Query
from decision_service.log.keys import activation_key, cancellation_key
from decision_service.log.row_times import late_row_time
from decision_service.projection.writer import LogWriter
from decision_service.state.base import StateStore, StateUnavailable, StoredState
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.rows import ActivationRow, CancellationRow, DecisionRow, OutcomeRow, Row, decode
from policies.rules.activation import refusal

CANCELLED = "cancelled"
"""Why a send that its caller cancelled is not delivered."""


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
        Gives the keys that states are kept under.
    rulebook
        Gives the catalogue in force.
    """

    def __init__(
        self, store: StateStore, log_writer: LogWriter, shopper_keys: ShopperKeys, rulebook: Callable[[], Rulebook]
    ) -> None:
        self._store = store
        self._log_writer = log_writer
        self._shopper_keys = shopper_keys
        self._rulebook = rulebook

    async def activate(self, event_id: str, now: float) -> Permission:
        """Ask the rules once more because the send is about to leave; the first answer stands.

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
            decision, rows = await self._send(event_id)
            if (known := _answered(rows)) is not None:
                return known
            stored = await self._read(decision)
            reason = _bounced(rows) or refusal(decision, stored.state, self._rulebook(), now)
            permission = Permission(reason is None, reason.name if reason is not None else None)
            at, before = await self._dated(decision, permission, now)
            row = ActivationRow(at, event_id, decision.shopper_id, permission.deliver, permission.reason)
            shoppers = (decision.shopper_id, self._shopper_keys.key(decision.shopper_id))
            condition = AppendCondition(
                fail_if=(
                    Query((CancellationRow.kind,), event_id=event_id),
                    # An activation may move its send and reserves nothing, so no decision may come in between either.
                    Query((*STATE_CHANGING_KINDS, DecisionRow.kind), shoppers, after=stored.position),
                ),
                watermark_below=before,
                incarnation=self._log_writer.incarnation,
            )
            result = await self._log_writer.append(NewRow(row, activation_key(event_id), condition))
            if isinstance(result, StaleIncarnation):
                raise Unavailable("the state store began anew meanwhile")
            await self._log_writer.wait_until_contained(result.position if isinstance(result, ConditionFailed) else 0)
            if not isinstance(result, ConditionFailed | DuplicateKey):
                return permission

    async def cancel(self, event_id: str, now: float) -> None:
        """Take a send back that will not leave.

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
            decision, rows = await self._send(event_id)
            if any(isinstance(row, CancellationRow) for row in rows):
                return
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

    async def _send(self, event_id: str) -> tuple[DecisionRow, list[Row]]:
        """Give a decision that sent something, and all rows about it."""
        found = await asyncio.to_thread(self._log_writer.log.find_by_event, [event_id])
        rows = [decode(row.body) for row in found]
        decision = next((row for row in rows if isinstance(row, DecisionRow)), None)
        if decision is None:
            raise NotFound(f"there is no decision {event_id!r}")
        if not decision.is_delivered:
            raise DecisionConflict(f"decision {event_id!r} sends nothing ({decision.hold_reason})")
        return decision, rows

    async def _dated(self, decision: DecisionRow, permission: Permission, now: float) -> tuple[float, float]:
        """Date the gate's answer: a refusal may come when what did not wait for it was learned from."""
        if permission.deliver or decision.deferred:
            return now, inf
        head = await asyncio.to_thread(self._log_writer.log.head)
        return late_row_time(now, decision.window_ends_at, head.watermark)

    async def _read(self, decision: DecisionRow) -> StoredState:
        try:
            return await self._store.read(self._shopper_keys.key(decision.shopper_id))
        except StateUnavailable as away:
            raise Unavailable(f"the shopper's state is away: {away}") from away


def _answered(rows: list[Row]) -> Permission | None:
    """Give what was answered before; a cancelled send is never delivered."""
    for row in rows:
        if isinstance(row, ActivationRow):
            return Permission(row.deliver, row.reason)
    if any(isinstance(row, CancellationRow) for row in rows):
        return Permission(False, CANCELLED)
    return None


def _bounced(rows: list[Row]) -> Reason | None:
    bounced = any(isinstance(row, OutcomeRow) and row.type == "bounce" for row in rows)
    return Reason.unreachable if bounced else None
