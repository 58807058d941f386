"""Shopper events: what shoppers did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from decision_service.commands.item_status import ACCEPTED, DUPLICATE, Status, invalid, is_ahead
from decision_service.log.base import AppendResult, DamagedRow, DuplicateKey, NewRow
from decision_service.log.keys import event_key, former_event_keys, same_attributes
from decision_service.projection.writer import LogWriter
from decision_service.schemas.requests import ShopperEventBody
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import EventRow

_ORDERS = ("purchase", "refund")
"""Types with a sum of money: a repeat would count twice."""


class ShopperEvents:
    """Records shopper events.

    Parameters
    ----------
    log_writer
        The log.
    rulebook
        Returns the catalogue in force.
    checks_future
        Whether an event dated well ahead of the clock is refused (wall clock only).
    """

    def __init__(self, log_writer: LogWriter, rulebook: Callable[[], Rulebook], *, checks_future: bool) -> None:
        self._log_writer = log_writer
        self._rulebook = rulebook
        self._checks_future = checks_future

    async def record(self, bodies: Sequence[ShopperEventBody], now: float) -> list[Status]:
        """Log shopper events; the next decision knows them. Return the status of each."""
        statuses = {number: status for number, body in enumerate(bodies) if (status := self._check(body, now))}
        rows = {number: _row(body, now) for number, body in enumerate(bodies) if number not in statuses}
        keys = {number: event_key(row, has_date=bodies[number].at is not None) for number, row in rows.items()}
        former = await self._find_former(rows[number] for number in rows if bodies[number].at is not None)
        statuses |= {number: DUPLICATE for number, key in keys.items() if key in former}
        left = {number: row for number, row in rows.items() if number not in statuses}
        statuses |= await self._log(left, keys)
        return [statuses[number] for number in range(len(bodies))]

    def _check(self, body: ShopperEventBody, now: float) -> Status | None:
        if self._checks_future and is_ahead(body.at, now):
            return invalid("at", "lies more than five minutes ahead")
        if body.type not in _ORDERS:
            return None
        if body.id is None and body.at is None:
            return invalid("id", f"a {body.type} needs an id or an at: a repeat would count twice")
        value = body.attributes.get("value", 0.0)
        if isinstance(value, bool | str) or value < 0:
            return invalid("attributes.value", "must be a number of at least 0")
        currency = self._rulebook().catalogue.currency
        if currency is not None and str(body.attributes.get("currency", currency)).upper() != currency:
            return invalid("attributes.currency", f"the catalogue counts in {currency}: other sums do not add up")
        return None

    async def _find_former(self, dated_rows: Iterable[EventRow]) -> set[str | None]:
        """Return today's keys of the events with a date that an earlier version logged."""
        former = {key for row in dated_rows for key in former_event_keys(row)}
        if not former:
            return set()
        stored = await asyncio.to_thread(self._log_writer.log.find_by_key, sorted(former))
        rows = [row.row for row in stored if row.is_whole]
        return {event_key(row, has_date=True) for row in rows if isinstance(row, EventRow)}

    async def _log(self, rows: Mapping[int, EventRow], keys: Mapping[int, str | None]) -> dict[int, Status]:
        new_rows = [NewRow(row, keys[number]) for number, row in rows.items()]
        results = await self._log_writer.append_all(new_rows)
        await self._log_writer.wait_until_contained()
        return {number: _status(row, result) for (number, row), result in zip(rows.items(), results, strict=True)}


def _row(body: ShopperEventBody, now: float) -> EventRow:
    return EventRow(
        at=now,
        shopper_id=body.shopper_id,
        type=body.type,
        occurred_at=now if body.at is None else body.at.timestamp(),
        attributes=body.attributes,
        id=body.id,
    )


def _status(row: EventRow, result: AppendResult) -> Status:
    if isinstance(result, DamagedRow):
        return DUPLICATE
    if not isinstance(result, DuplicateKey):
        return ACCEPTED
    stored = result.row.row
    if isinstance(stored, EventRow) and not same_attributes(row.attributes, stored.attributes):
        return invalid("attributes", f"the id was used for a {row.type} with other attributes")
    return DUPLICATE
