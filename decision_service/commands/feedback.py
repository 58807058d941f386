"""Feedback: outcomes of decisions. Withdrawals of consent take effect before the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf

import msgspec

from decision_service.log.base import Appended, Condition, Conflict, Precluded, Result
from decision_service.log.keys import decision_key, outcome_key
from decision_service.log.row_times import late_row_time
from decision_service.projection.writer import Draft, LogWriter
from decision_service.schemas.problems import FieldError
from decision_service.schemas.requests import OutcomeBody
from decision_service.state.base import StateStore, StateUnavailable, Withdrawal
from decision_service.state.shopper_keys import ShopperKeys
from policies.records.outcomes import OUTCOME_TYPES, TAKING_BACK
from policies.records.rows import DecisionRow, OutcomeRow, decode
from policies.sends import is_late, is_withdrawal

AHEAD_S = 300.0
"""How far a caller's clock may run ahead of ours."""


@dataclass(frozen=True)
class Status:
    """What became of one item: accepted, duplicate, late, unknown, or invalid with the field."""

    status: str
    error: FieldError | None = None


ACCEPTED, DUPLICATE, LATE, UNKNOWN = (Status(name) for name in ("accepted", "duplicate", "late", "unknown"))


def invalid(field: str, message: str) -> Status:
    """Refuse one item."""
    return Status("invalid", FieldError(field, message))


class Feedback:
    """Takes outcomes in.

    Parameters
    ----------
    store, journal
        The shoppers' states and the log.
    checks_future
        Whether an outcome dated well ahead of the clock is refused (wall clock only).
    names
        Gives the keys that states are kept under.
    """

    def __init__(self, store: StateStore, journal: LogWriter, names: ShopperKeys, *, checks_future: bool) -> None:
        self._store = store
        self._journal = journal
        self._names = names
        self._checks_future = checks_future

    async def take(self, bodies: Sequence[OutcomeBody], now: float) -> list[Status]:
        """Log outcomes and tell of each what became of it."""
        statuses = {number: status for number, body in enumerate(bodies) if (status := self._check(body, now))}
        while left := {number: body for number, body in enumerate(bodies) if number not in statuses}:
            statuses |= await self._take(left, now)
        return [statuses[number] for number in range(len(bodies))]

    async def _take(self, bodies: Mapping[int, OutcomeBody], now: float) -> dict[int, Status]:
        """Log outcomes; those whose decision showed up, or whose window closed, at that moment are left out."""
        decisions = await self._decisions({body.event_id for body in bodies.values()})
        rows = {number: _row(body, now, decisions.get(body.event_id)) for number, body in bodies.items()}
        return await self._log(rows, decisions)

    async def log_withdrawing(
        self, drafts: Sequence[Draft], withdrawals: Mapping[int, Sequence[Withdrawal]]
    ) -> list[Result]:
        """Withdraw consent in the state, then log why, and return when the state contains it.

        With the state store away the rows alone do: a decision that was made without knowing of them is
        precluded by its condition from being logged as a send.

        Parameters
        ----------
        drafts
            The rows.
        withdrawals
            What the rows withdraw, by their number.
        """
        with suppress(StateUnavailable):
            await self._store.withdraw([each for own in withdrawals.values() for each in own])
        results = await self._journal.append_all(drafts)
        repeated = [number for number in withdrawals if not isinstance(results[number], Appended)]
        await self._retract([each for number in repeated for each in withdrawals[number]])
        await self._journal.contained()
        return results

    async def _retract(self, withdrawals: Sequence[Withdrawal]) -> None:
        """Take back what was not logged: with a repeat, consent may have been given again since the first time."""
        try:
            await self._store.retract(withdrawals)
        except StateUnavailable:
            return

    def _check(self, body: OutcomeBody, now: float) -> Status | None:
        if self._checks_future and body.at is not None and body.at.timestamp() > now + AHEAD_S:
            return invalid("at", "lies more than five minutes ahead")
        if body.value and not OUTCOME_TYPES[body.type].has_value:
            return invalid("value", "only a conversion has a value")
        return None

    async def _decisions(self, event_ids: set[str]) -> dict[str, DecisionRow]:
        keys = [decision_key(event_id) for event_id in sorted(event_ids)]
        found = await asyncio.to_thread(self._journal.log.find_all, keys)
        decisions = (decode(row.body) for row in found)
        return {row.event_id: row for row in decisions if isinstance(row, DecisionRow)}

    async def _log(self, rows: dict[int, OutcomeRow], decisions: dict[str, DecisionRow]) -> dict[int, Status]:
        """Log outcomes, but those whose shopper was erased since their decision was read, or whose window closed."""
        watermark = await self._watermark(rows.values())
        drafts = [_draft(row, decisions.get(row.event_id), watermark) for row in rows.values()]
        withdrawals = {
            number: [Withdrawal.of(self._names.key(row.shopper_id), row.channel)]
            for number, row in enumerate(rows.values())
            if is_withdrawal(row) and row.shopper_id is not None and row.channel is not None
        }
        results = await self.log_withdrawing(drafts, withdrawals)
        return {
            number: _status(row, result, decisions.get(row.event_id))
            for (number, row), result in zip(rows.items(), results, strict=True)
            if not isinstance(result, Precluded)
        }

    async def _watermark(self, rows: Iterable[OutcomeRow]) -> float:
        """Tell how far the log's time is, where rows depend on it."""
        if not any(row.type in TAKING_BACK for row in rows):
            return -inf
        return (await asyncio.to_thread(self._journal.log.head)).watermark


def _row(body: OutcomeBody, now: float, decision: DecisionRow | None) -> OutcomeRow:
    return OutcomeRow(
        at=now,
        event_id=body.event_id,
        type=body.type,
        occurred_at=now if body.at is None else body.at.timestamp(),
        value=body.value or 0.0,
        feedback_id=body.feedback_id,
        shopper_id=decision.shopper_id if decision else None,
        channel=decision.channel if decision and decision.is_delivered else None,
    )


def _draft(row: OutcomeRow, decision: DecisionRow | None, watermark: float) -> Draft:
    """Make an outcome's row tell by itself whether it knew its decision, and whether a bounce came in time."""
    key = outcome_key(row)
    if decision is None:
        return Draft(row, key, condition=Condition(unless=frozenset({DecisionRow.kind})))
    if row.type not in TAKING_BACK:
        return Draft(row, key, condition=Condition(owner=row.shopper_id))
    at, before = late_row_time(row.at, decision.window_ends_at, watermark)
    condition = Condition(owner=row.shopper_id, before=before)
    return Draft(msgspec.structs.replace(row, at=at), key, condition=condition)


def _status(row: OutcomeRow, result: Result, decision: DecisionRow | None) -> Status:
    if isinstance(result, Conflict):
        return DUPLICATE
    if decision is None or not isinstance(result, Appended):
        return UNKNOWN
    if decision.window_ends_at is None:
        return ACCEPTED
    return LATE if is_late(decision.window_ends_at, row.occurred_at, result.watermark) else ACCEPTED
