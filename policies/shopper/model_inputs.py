"""What models see of the triggers of a request, from what is known when the request is decided, or from its row."""

from __future__ import annotations

import math
from collections.abc import Mapping

from policies.catalogue.rulebook import Rulebook
from policies.records.model_input import ModelInput
from policies.records.request import Request
from policies.records.rows import DecisionRow, Scalar, TriggerRecord
from policies.records.shopper_numbers import ShopperNumbers
from policies.shopper.context import trigger_context
from policies.shopper.state import ShopperState

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
    return ModelInput(trigger_context(shared, trigger), numbers, product_price(trigger), event_id)


def numbers_now(request: Request, state: ShopperState, rulebook: Rulebook) -> ShopperNumbers:
    """Return the numbers about the shopper of a request. Nothing computes them yet."""
    return _NOTHING_KNOWN


def numbers_in(row: DecisionRow) -> ShopperNumbers:
    """Return the numbers about the shopper that a row holds. No row holds any yet."""
    return _NOTHING_KNOWN


def product_price(trigger: TriggerRecord) -> float | None:
    """Return the price of the product that a trigger is about, None where it is not known."""
    price = trigger.attributes.get("price")
    if price is None or isinstance(price, bool | str) or not 0.0 < price < math.inf:
        return None
    return float(price)
