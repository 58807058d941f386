"""What models see of the triggers of a request, from what is known when the request is decided, or from its row."""

from __future__ import annotations

from collections.abc import Mapping

from policies.records.model_input import ModelInput
from policies.records.rows import DecisionRow, Scalar, TriggerRecord
from policies.records.shopper_numbers import ShopperNumbers
from policies.shopper.context import trigger_context

_NOTHING_KNOWN = ShopperNumbers()


def trigger_input(
    shared: Mapping[str, Scalar], numbers: ShopperNumbers, trigger: TriggerRecord, event_id: str
) -> ModelInput:
    """Return what a model sees of a trigger.

    ``shared`` is the context that all triggers of the request share.

    >>> seen = trigger_input({}, ShopperNumbers(), TriggerRecord("wishlist", 3, 0.0, attributes={"price": 20}), "e-1")
    >>> seen.context, seen.price
    ({'trigger': 'wishlist'}, 20.0)
    """
    return ModelInput(trigger_context(shared, trigger), numbers, trigger.product_price, event_id)


def numbers_in(row: DecisionRow) -> ShopperNumbers:
    """Return the numbers about the shopper that a row holds; without any where the row is of an earlier version."""
    return _NOTHING_KNOWN if row.numbers is None else row.numbers
