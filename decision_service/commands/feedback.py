"""Feedback: outcomes of decisions. Withdrawals of consent take effect before the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from math import inf

import msgspec

from decision_service.commands.item_status import ACCEPTED, DUPLICATE, LATE, UNKNOWN, Status, invalid, is_ahead
from decision_service.errors import DAMAGED
from decision_service.log.base import (
    Appended,
    AppendResult,
    ConditionFailed,
    DamagedRow,
    DuplicateKey,
    NewRow,
    StoredRow,
)
from decision_service.log.condition import AppendCondition, Query
from decision_service.log.keys import decision_key, outcome_key, possible_outcome_keys
from decision_service.log.row_times import late_row_time
from decision_service.projection.writer import LogWriter
from decision_service.schemas.requests import OutcomeBody
from decision_service.state.base import StateStore, StateUnavailable
from decision_service.state.pending import Withdrawal
from decision_service.state.shopper_keys import ShopperKey, ShopperKeys
from policies.catalogue.former_names import FormerNames
from policies.catalogue.rulebook import Rulebook
from policies.records.outcomes import TAKING_BACK, VALUED, WITHDRAWALS
from policies.records.rows import DecisionRow, OutcomeRow, Row
from policies.records.withholding import withheld_paths
from policies.sends.concerns import is_late, is_withdrawal

_DAMAGED = invalid("event_id", DAMAGED)


class Feedback:
    """Records outcomes.

    Parameters
    ----------
    store, log_writer
        The shoppers' states and the log.
    checks_future
        Whether an outcome dated well ahead of the clock is refused (wall clock only).
    shopper_keys
        The keys that states are kept under.
    rulebook
        Returns the catalogue in force.
    """

    def __init__(
        self,
        store: StateStore,
        log_writer: LogWriter,
        shopper_keys: ShopperKeys,
        rulebook: Callable[[], Rulebook],
        *,
        checks_future: bool,
    ) -> None:
        self._store = store
        self._rulebook = rulebook
        self._log_writer = log_writer
        self._shopper_keys = shopper_keys
        self._checks_future = checks_future

    async def record(self, bodies: Sequence[OutcomeBody], now: float) -> list[Status]:
        """Log outcomes, and return the status of each."""
        statuses = {number: status for number, body in enumerate(bodies) if (status := self._check(body, now))}
        while left := {number: body for number, body in enumerate(bodies) if number not in statuses}:
            statuses |= await self._try_to_log(left, now)
        return [statuses[number] for number in range(len(bodies))]

    async def _try_to_log(self, bodies: Mapping[int, OutcomeBody], now: float) -> dict[int, Status]:
        """Log outcomes, and return the status of those that were logged.

        An outcome is not logged if meanwhile its decision was logged, its shopper was erased or its window closed.
        """
        outcomes = {number: self._outcome(body, now) for number, body in bodies.items()}
        stored = await self._find_decisions({row.event_id for row in outcomes.values()})
        damaged = {row.event_id for row in stored if not row.is_whole}
        decisions = {row.row.event_id: row.row for row in stored if row.is_whole and isinstance(row.row, DecisionRow)}
        earlier = await self._earlier(outcomes.values())
        statuses = {number: _DAMAGED for number, row in outcomes.items() if row.event_id in damaged}
        statuses |= {
            number: status
            for number, row in outcomes.items()
            if (status := _status_without_logging(row, earlier, decisions.get(row.event_id))) is not None
        }
        names = self._rulebook().former_names
        rows = {
            number: with_aliases(_about(decisions.get(row.event_id), row), names)
            for number, row in outcomes.items()
            if number not in statuses
        }
        return statuses | await self._log(rows, decisions)

    async def log_withdrawing(self, rows: Sequence[NewRow], shoppers: Mapping[int, ShopperKey]) -> list[AppendResult]:
        """Withdraw consent in the state, then log why, and return when the state contains it.

        With the state store away the rows alone withdraw consent: the condition of a decision that was made without
        these rows fails, so it is not logged as a send.

        Parameters
        ----------
        rows
            The rows to be logged.
        shoppers
            The shoppers whose rows may withhold something, by the number of the row.
        """
        withdrawals = await self._withdraw({number: (key, rows[number].row) for number, key in shoppers.items()})
        results = await self._log_writer.append_all(rows)
        repeated = [number for number in withdrawals if not isinstance(results[number], Appended)]
        await self._retract([withdrawal for number in repeated for withdrawal in withdrawals[number]])
        await self._log_writer.wait_until_contained()
        return results

    async def _withdraw(self, rows: Mapping[int, tuple[ShopperKey, Row]]) -> dict[int, list[Withdrawal]]:
        """Withdraw in the state what rows of shoppers withhold, and return the withdrawals of each such row."""
        withholding = {number: (key, row) for number, (key, row) in rows.items() if withheld_paths(row)}
        if not withholding:
            return {}
        head = await self._log_writer.find_head()
        withdrawals = {number: Withdrawal.all_of(key, row, head) for number, (key, row) in withholding.items()}
        with suppress(StateUnavailable):
            await self._store.withdraw([withdrawal for of_row in withdrawals.values() for withdrawal in of_row])
        return withdrawals

    async def _retract(self, withdrawals: Sequence[Withdrawal]) -> None:
        """Undo withdrawals that were not logged: consent may have been given again since the row that they repeat."""
        try:
            await self._store.retract(withdrawals)
        except StateUnavailable:
            return

    def _check(self, body: OutcomeBody, now: float) -> Status | None:
        if self._checks_future and body.type not in WITHDRAWALS and is_ahead(body.at, now):
            return invalid("at", "lies more than five minutes ahead")
        if body.type in VALUED and body.feedback_id is None and body.at is None:
            return invalid("feedback_id", f"a {body.type} needs a feedback_id or an at: a repeat would count twice")
        currency = self._rulebook().catalogue.currency
        if body.currency is not None and currency not in (None, body.currency):
            return invalid("currency", f"the catalogue counts in {currency}: other sums do not add up")
        return None

    def _outcome(self, body: OutcomeBody, now: float) -> OutcomeRow:
        """Return the row of an outcome, while nobody has looked for its decision."""
        occurred_at = now if body.at is None else body.at.timestamp()
        if self._checks_future and body.type in WITHDRAWALS:
            occurred_at = min(occurred_at, now)
        return OutcomeRow(
            at=now,
            event_id=body.event_id,
            type=body.type,
            occurred_at=occurred_at,
            value=body.value or 0.0,
            feedback_id=body.feedback_id,
            machine=body.machine,
            permanent=body.permanent,
            dated=body.at is not None if body.type in VALUED else None,
        )

    async def _find_decisions(self, event_ids: set[str]) -> list[StoredRow]:
        keys = [decision_key(event_id) for event_id in sorted(event_ids)]
        return await asyncio.to_thread(self._log_writer.log.find_by_key, keys)

    async def _earlier(self, rows: Iterable[OutcomeRow]) -> dict[str, OutcomeRow]:
        """Return the equal outcomes that are logged already, also by an earlier version, by today's keys."""
        keys = {key for row in rows for key in possible_outcome_keys(row)}
        stored = await asyncio.to_thread(self._log_writer.log.find_by_key, sorted(keys))
        return {outcome_key(row.row): row.row for row in stored if row.is_whole and isinstance(row.row, OutcomeRow)}

    async def _log(self, rows: dict[int, OutcomeRow], decisions: dict[str, DecisionRow]) -> dict[int, Status]:
        watermark = await self._watermark(rows.values())
        new_rows = [_new_row(row, decisions.get(row.event_id), watermark) for row in rows.values()]
        withdrawing = {
            number: self._shopper_keys.key(row.shopper_id)
            for number, row in enumerate(rows.values())
            if is_withdrawal(row) and row.shopper_id is not None
        }
        results = await self.log_withdrawing(new_rows, withdrawing)
        return {
            number: _status(row, result, decisions.get(row.event_id))
            for (number, row), result in zip(rows.items(), results, strict=True)
            if not isinstance(result, ConditionFailed)
        }

    async def _watermark(self, rows: Iterable[OutcomeRow]) -> float:
        """Return the log's watermark where the time of rows depends on it."""
        if not any(row.type in TAKING_BACK for row in rows):
            return -inf
        return (await asyncio.to_thread(self._log_writer.log.head)).watermark


def _status_without_logging(
    row: OutcomeRow, earlier: Mapping[str, OutcomeRow], decision: DecisionRow | None
) -> Status | None:
    """Return the status of an outcome that is not logged: a repeat, or the withdrawal of what was sent nowhere."""
    if (stored := earlier.get(outcome_key(row))) is not None:
        return _status_of_repeat(row, stored)
    if row.type in WITHDRAWALS and decision is not None and not decision.is_delivered:
        return invalid("event_id", "this decision was a hold, sent on no channel: put preferences instead")
    return None


def _status_of_repeat(row: OutcomeRow, stored: OutcomeRow) -> Status:
    """Return the status of an outcome whose key is in the log: of a sum of money, the id names one sum."""
    if row.type not in VALUED:
        return DUPLICATE
    if row.value != stored.value:
        return invalid("value", f"the feedback_id was used for a {row.type} of {stored.value:g}")
    if row.has_date and stored.has_date and row.occurred_at != stored.occurred_at:
        return invalid("at", f"the feedback_id was used for a {row.type} at another time")
    return DUPLICATE


def _about(decision: DecisionRow | None, row: OutcomeRow) -> OutcomeRow:
    """Return an outcome with the shopper and the channel of its decision."""
    if decision is None:
        return row
    channel = decision.channel if decision.is_delivered else None
    return msgspec.structs.replace(row, shopper_id=decision.shopper_id, channel=channel)


def with_aliases(row: OutcomeRow, names: FormerNames) -> OutcomeRow:
    """Return an outcome with the other names that its channel has or had, if it withdraws consent or reach."""
    if row.channel is None or not withheld_paths(row):
        return row
    aliases = tuple(name for name in names.names_of_channel(row.channel) if name != row.channel)
    return msgspec.structs.replace(row, aliases=aliases) if aliases else row


def _new_row(row: OutcomeRow, decision: DecisionRow | None, watermark: float) -> NewRow:
    """Return the row to be logged: it shows by itself whether its decision was known and whether a bounce was late."""
    key = outcome_key(row)
    if decision is None:
        decided = Query((DecisionRow.kind,), event_id=row.event_id)
        return NewRow(row, key, AppendCondition(fail_if=(decided,)))
    if row.type not in TAKING_BACK:
        return NewRow(row, key, AppendCondition(event_owner=row.shopper_id))
    time = late_row_time(row.at, decision.window_ends_at, watermark)
    condition = AppendCondition(
        event_owner=row.shopper_id, watermark_below=time.watermark_below, watermark_from=time.watermark_from
    )
    return NewRow(msgspec.structs.replace(row, at=time.at), key, condition)


def _status(row: OutcomeRow, result: AppendResult, decision: DecisionRow | None) -> Status:
    if isinstance(result, DamagedRow):
        return DUPLICATE
    if isinstance(result, DuplicateKey):
        stored = result.row.row
        return _status_of_repeat(row, stored) if isinstance(stored, OutcomeRow) else DUPLICATE
    if decision is None or not isinstance(result, Appended):
        return UNKNOWN
    if decision.window_ends_at is None:
        return ACCEPTED
    return LATE if is_late(decision.window_ends_at, row.occurred_at, result.watermark) else ACCEPTED
