"""Shopper events."""

from __future__ import annotations

from collections.abc import Sequence

from decision_service.commands.feedback import ACCEPTED, AHEAD_S, DUPLICATE, Status, invalid
from decision_service.log.base import DuplicateKey, NewRow
from decision_service.log.keys import event_key
from decision_service.projection.writer import LogWriter
from decision_service.schemas.requests import ShopperEventBody
from policies.records.rows import EventRow


class Shoppers:
    """Records shopper events.

    Parameters
    ----------
    log_writer
        The log.
    checks_future
        Whether an event dated well ahead of the clock is refused (wall clock only).
    """

    def __init__(self, log_writer: LogWriter, *, checks_future: bool) -> None:
        self._log_writer = log_writer
        self._checks_future = checks_future

    async def record_events(self, bodies: Sequence[ShopperEventBody], now: float) -> list[Status]:
        """Log shopper events; the next decision knows them. Return the status of each."""
        refused = {number: status for number, body in enumerate(bodies) if (status := self._check(body, now))}
        rows = {number: _row(body, now) for number, body in enumerate(bodies) if number not in refused}
        new_rows = [
            NewRow(row, event_key(row) if bodies[number].at is not None else None) for number, row in rows.items()
        ]
        results = await self._log_writer.append_all(new_rows)
        await self._log_writer.wait_until_contained()
        statuses = refused | {
            number: DUPLICATE if isinstance(result, DuplicateKey) else ACCEPTED
            for number, result in zip(rows, results, strict=True)
        }
        return [statuses[number] for number in range(len(bodies))]

    def _check(self, body: ShopperEventBody, now: float) -> Status | None:
        if self._checks_future and body.at is not None and body.at.timestamp() > now + AHEAD_S:
            return invalid("at", "lies more than five minutes ahead")
        value = body.attributes.get("value", 0.0)
        if body.type == "purchase" and (isinstance(value, bool | str) or value < 0):
            return invalid("attributes.value", "must be a number of at least 0")
        return None


def _row(body: ShopperEventBody, now: float) -> EventRow:
    occurred_at = now if body.at is None else body.at.timestamp()
    return EventRow(
        at=now, shopper_id=body.shopper_id, type=body.type, occurred_at=occurred_at, attributes=body.attributes
    )
