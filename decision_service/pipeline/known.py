"""What the log has already of a request's event: a decision, whose repeat gets the first answer again, or outcomes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from decision_service import metrics
from decision_service.errors import DAMAGED, Erased, Invalid, ServiceError
from decision_service.log.base import EventLog, LogUnavailable, StoredRow
from decision_service.log.keys import decision_key
from decision_service.pipeline.item import DecisionResponse, Item, Result
from decision_service.state.shopper_keys import is_pseudonym
from policies.records.rows import DecisionRow, OutcomeRow

_logger = logging.getLogger(__name__)


def damage_error(item: Item, position: int) -> ServiceError:
    """Return the error of an item because the row of its event at a position is damaged, and report the damage."""
    event_id, request = item.event_id, {"request_id": item.request_id}
    _logger.error("the row at position %d is damaged; the event is %s", position, event_id, extra=request)
    return ServiceError(DAMAGED)


def replay(stored: StoredRow, item: Item) -> Result:
    """Return the response of a decision that is in the log, or an error if the item is no repeat of it."""
    if not stored.is_whole:
        return damage_error(item, stored.position)
    row = stored.row
    if isinstance(row, DecisionRow) and is_pseudonym(row.shopper_id):
        return Erased("this decision's shopper was erased")
    if not isinstance(row, DecisionRow) or row.fingerprint != item.fingerprint:
        return Invalid.field("event_id", "was used for a decision with another body")
    metrics.REPLAYS.inc()
    return DecisionResponse(row.answer.encode(), replayed=True)


async def find_known(log: EventLog, items: Iterable[Item]) -> dict[Item, Result]:
    """Return the results of the items whose event ids have a logged decision; empty while the log cannot be read."""
    by_event = {item.event_id: item for item in items if item.event_id}
    if not by_event:
        return {}
    try:
        rows = await asyncio.to_thread(log.find_by_key, [decision_key(event_id) for event_id in by_event])
    except LogUnavailable:
        return {}
    return {(item := by_event[row.event_id]): replay(row, item) for row in rows if row.event_id}


async def find_reported(log: EventLog, items: Iterable[Item]) -> set[Item]:
    """Return the items whose outcomes were reported before their decision, none while the log cannot be read."""
    by_event = {item.event_id: item for item in items if item.event_id}
    if not by_event:
        return set()
    try:
        rows = await asyncio.to_thread(log.find_by_event, list(by_event), (OutcomeRow.kind,))
    except LogUnavailable:
        return set()
    return {by_event[row.event_id] for row in rows if row.event_id}
