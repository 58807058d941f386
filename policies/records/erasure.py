"""Erasure: how rows lose their shopper.

The context of a decision, its distribution, the numbers about the shopper (they hold no id) and everything that
learning used stay, so that draws and the learning history stay valid. The shopper's id, the attributes of the product
and the rendered message go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from policies.records.rows import DecisionRow, ErasureRow, EventRow, PreferencesRow, Row, ShopperRow, TriggerRecord

AnyRow = TypeVar("AnyRow", bound=ShopperRow)

ERASED = "erased:"
"""The beginning of every pseudonym; callers may not use such ids."""


def is_pseudonym(shopper_id: str) -> bool:
    """Return whether a shopper id is the pseudonym of an erased shopper."""
    return shopper_id.startswith(ERASED)


def anonymous(row: AnyRow, pseudonym: str) -> AnyRow:
    """Return a row without its shopper.

    >>> attributes = {"value": 20.0, "city": "Vigo"}
    >>> row = EventRow(at=1.0, shopper_id="s-1", type="purchase", occurred_at=1.0, attributes=attributes)
    >>> anonymous(row, "erased:1")
    EventRow(at=1.0, shopper_id='erased:1', type='purchase', occurred_at=1.0, attributes={}, id=None)
    """
    if isinstance(row, DecisionRow):
        triggers = tuple(map(_without_attributes, row.triggers))
        return msgspec.structs.replace(row, shopper_id=pseudonym, triggers=triggers, answer="", fingerprint="")
    if isinstance(row, EventRow):
        return msgspec.structs.replace(row, shopper_id=pseudonym, attributes={}, id=None)
    if isinstance(row, PreferencesRow):
        consent = PreferencesRow(row.at, pseudonym, row.consent, subscribed=row.subscribed, stated_at=row.stated_at)
        return consent  # type: ignore[return-value]  # the very same type
    return msgspec.structs.replace(row, shopper_id=pseudonym)


def _without_attributes(trigger: TriggerRecord) -> TriggerRecord:
    """Drop the attributes of the product except its category and its price, which learning has used."""
    category, price = trigger.product_category or "", trigger.product_price or 0.0
    return msgspec.structs.replace(trigger, attributes={}, category=category, price=price)


def erasure(rows: Iterable[Row], at: float, pseudonym: str, key: str) -> ErasureRow:
    """Return the row which states that the shopper of these rows was erased."""
    still_open = (
        row.event_id
        for row in rows
        if isinstance(row, DecisionRow) and row.window_ends_at is not None and (row.deferred or row.window_ends_at > at)
    )
    return ErasureRow(at=at, shopper_id=pseudonym, key=key, open_event_ids=tuple(still_open))
