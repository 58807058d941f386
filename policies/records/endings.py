"""Endings: what a shopper does can end a trigger, as a purchase ends the reason to remind of a cart.

A trigger names the types of shopper events that end it (`TriggerRecord.ends_on`). The first such event that is dated
later than the trigger occurred ends the trigger, whatever product the event names, and however late the event is
reported.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeGuard

from policies.records.outcomes import OUTCOME_TYPES
from policies.records.rows import EventRow, OutcomeRow, Row


def may_end_triggers(row: Row) -> TypeGuard[EventRow | OutcomeRow]:
    """Return whether a row says that the shopper did something by which triggers may end."""
    return isinstance(row, EventRow) or (isinstance(row, OutcomeRow) and OUTCOME_TYPES[row.type].counts_as is not None)


def event_type(row: EventRow | OutcomeRow) -> str | None:
    """Return the type of the shopper event that a row reports, None for an outcome that counts as no such event.

    >>> event_type(OutcomeRow(at=1.0, event_id="e", type="conversion", occurred_at=1.0))
    'purchase'
    """
    return row.type if isinstance(row, EventRow) else OUTCOME_TYPES[row.type].counts_as


def ends(row: EventRow | OutcomeRow, ends_on: Collection[str], occurred_at: float | None) -> bool:
    """Return whether a row ends a trigger that occurred at a time; without a time nothing ends the trigger.

    >>> purchase = EventRow(at=9.0, shopper_id="s", type="purchase", occurred_at=5.0)
    >>> ends(purchase, ["purchase"], 4.0), ends(purchase, ["purchase"], 5.0), ends(purchase, [], 4.0)
    (True, False, False)
    """
    return occurred_at is not None and row.occurred_at > occurred_at and event_type(row) in ends_on
