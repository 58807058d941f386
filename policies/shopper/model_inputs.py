"""What models see of the triggers of a request: when the request is decided, and when its row is read again."""

from __future__ import annotations

from collections.abc import Mapping

from policies.records.model_input import ModelInput
from policies.records.rows import Scalar, TriggerRecord
from policies.records.shopper_numbers import ShopperNumbers
from policies.shopper.context import trigger_context

_NOTHING_KNOWN = ShopperNumbers()


def trigger_input(
    shared: Mapping[str, Scalar], numbers: ShopperNumbers | None, trigger: TriggerRecord, event_id: str
) -> ModelInput:
    """Return what a model sees of a trigger.

    ``shared`` is the context that all triggers of the request share. ``numbers`` are None where a row has none.

    >>> seen = trigger_input({}, None, TriggerRecord("wishlist", 3, 0.0, attributes={"price": 20}), "e-1")
    >>> seen.context, seen.price
    ({'trigger': 'wishlist'}, 20.0)
    """
    known = _NOTHING_KNOWN if numbers is None else numbers
    return ModelInput(trigger_context(shared, trigger), known, trigger.product_price, event_id)
