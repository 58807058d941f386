"""What a model sees of one trigger of a request, when the request is decided and when its send is learned."""

from __future__ import annotations

from typing import NamedTuple

from policies.records.rows import Context
from policies.records.shopper_numbers import ShopperNumbers


class ModelInput(NamedTuple):
    """One trigger of a request, as a model sees the trigger.

    Parameters
    ----------
    context
        The trigger's context (`policies.shopper.context.trigger_context`).
    numbers
        The numbers about the shopper, as the row holds them.
    price
        The price of the product that the trigger is about; None where it is not known.
    event_id
        The id of the request; all triggers of a request have the same one.
    """

    context: Context
    numbers: ShopperNumbers = ShopperNumbers()
    price: float | None = None
    event_id: str = ""
