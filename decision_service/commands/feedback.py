"""Feedback: outcomes of decisions. Withdrawals of consent take effect before the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf

from decision_service.commands.item_status import Status, invalid, is_ahead
from decision_service.commands.outcome_rows import complete_outcome, read_outcome, row_to_log, with_aliases
from decision_service.commands.outcome_statuses import status_of_result, status_without_logging
from decision_service.commands.withdrawing_log import WithdrawingLog
from decision_service.errors import DAMAGED
from decision_service.log.base import ConditionFailed, StoredRow
from decision_service.log.keys import decision_key, outcome_key, possible_outcome_keys
from decision_service.projection.writer import LogWriter
from decision_service.schemas.requests import OutcomeBody
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.rulebook import Rulebook
from policies.records.outcomes import TAKING_BACK, VALUED, WITHDRAWALS
from policies.records.rows import DecisionRow, OutcomeRow
from policies.sends.concerns import is_withdrawal

_DAMAGED = invalid("event_id", DAMAGED)


class Feedback:
    """Records outcomes.

    Parameters
    ----------
    log_writer, withdrawing_log
        The log, and the log of rows that withdraw consent.
    checks_future
        Whether an outcome dated well ahead of the clock is refused (wall clock only).
    shopper_keys
        The keys that states are kept under.
    rulebook
        Returns the catalogue in force.
    """

    def __init__(
        self,
        log_writer: LogWriter,
        withdrawing_log: WithdrawingLog,
        shopper_keys: ShopperKeys,
        rulebook: Callable[[], Rulebook],
        *,
        checks_future: bool,
    ) -> None:
        self._withdrawing_log = withdrawing_log
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
        outcomes = {
            number: read_outcome(body, now, checks_future=self._checks_future) for number, body in bodies.items()
        }
        stored = await self._find_decisions({row.event_id for row in outcomes.values()})
        damaged = {row.event_id for row in stored if not row.is_whole}
        decisions = {row.row.event_id: row.row for row in stored if row.is_whole and isinstance(row.row, DecisionRow)}
        earlier = await self._earlier(outcomes.values())
        statuses = {number: _DAMAGED for number, row in outcomes.items() if row.event_id in damaged}
        statuses |= {
            number: status
            for number, row in outcomes.items()
            if (status := status_without_logging(row, earlier, decisions.get(row.event_id))) is not None
        }
        names = self._rulebook().former_names
        rows = {
            number: with_aliases(complete_outcome(decisions.get(row.event_id), row), names)
            for number, row in outcomes.items()
            if number not in statuses
        }
        return statuses | await self._log(rows, decisions)

    def _check(self, body: OutcomeBody, now: float) -> Status | None:
        if self._checks_future and body.type not in WITHDRAWALS and is_ahead(body.at, now):
            return invalid("at", "lies more than five minutes ahead")
        if body.type in VALUED and body.feedback_id is None and body.at is None:
            return invalid("feedback_id", f"a {body.type} needs a feedback_id or an at: a repeat would count twice")
        currency = self._rulebook().catalogue.currency
        if body.currency is not None and currency not in (None, body.currency):
            return invalid("currency", f"the catalogue counts in {currency}: other sums do not add up")
        return None

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
        new_rows = [row_to_log(row, decisions.get(row.event_id), watermark) for row in rows.values()]
        withdrawing = {
            number: self._shopper_keys.key(row.shopper_id)
            for number, row in enumerate(rows.values())
            if is_withdrawal(row) and row.shopper_id is not None
        }
        results = await self._withdrawing_log.append_all(new_rows, withdrawing)
        return {
            number: status_of_result(row, result, decisions.get(row.event_id))
            for (number, row), result in zip(rows.items(), results, strict=True)
            if not isinstance(result, ConditionFailed)
        }

    async def _watermark(self, rows: Iterable[OutcomeRow]) -> float:
        """Return the log's watermark where the time of rows depends on it."""
        if not any(row.type in TAKING_BACK for row in rows):
            return -inf
        return (await asyncio.to_thread(self._log_writer.log.head)).watermark
