"""Triggers: how welcome a message is that answers a trigger, and when the triggers happen.

Judgement, except that flows are clicked 3.6 times as often as campaigns: e-mail 4.67 % against 1.29 % (Klaviyo). The
warmth of a trigger says how welcome a message is that answers the trigger, on the scale of intent; the warmth fades
like intent. An abandoned cart and a product view also raise the intent itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulators.scenarios.number_fields import check_numbers, number, probability

PRODUCT_CATEGORIES = ("shoes", "apparel", "accessories", "home")
PRODUCT_EVENTS = ("price_drop", "back_in_stock", "low_stock")
"""What can happen to a product on a wish list."""

_WEIBULL = "Weibull fit of gaps between orders: Online Retail"


@dataclass(frozen=True)
class TriggerTraits:
    """The numbers of the triggers; the names of the warmths end in the types of the triggers.

    Raises
    ------
    ValueError
        When a number has an impossible value; the message names the number.

    Examples
    --------
    >>> TriggerTraits().warmth("cart_abandoned"), TriggerTraits().warmth("birthday")
    (1.0, 0.2)
    """

    warmth_cart_abandoned: float = probability(1.0, "warmth after an abandoned cart")
    warmth_product_viewed: float = probability(0.4, "warmth after a product view")
    warmth_wishlist: float = probability(0.5, "warmth after a product was put on the wish list")
    warmth_price_drop: float = probability(0.7, "warmth when such a product is cheaper")
    warmth_back_in_stock: float = probability(0.8, "warmth when such a product is in stock again")
    warmth_low_stock: float = probability(0.6, "warmth when few of such a product are left")
    warmth_post_purchase: float = probability(0.5, "warmth after an order")
    warmth_first_order: float = probability(0.7, "warmth after the first order")
    warmth_review_request: float = probability(0.3, "warmth when an order can be reviewed")
    warmth_welcome: float = probability(0.8, "warmth after joining")
    warmth_replenishment: float = probability(0.6, "warmth when the goods of an order are used up")
    warmth_win_back: float = probability(0.2, "warmth after a long time without a visit")
    warmth_seasonal: float = probability(0.2, "warmth when a promotion starts")
    warmth_other: float = probability(0.2, "warmth of any other trigger of a catalogue")
    price_drop_share: float = probability(0.35, "share of products on wish lists that are cheaper next")
    price_drop_after_h: float = number(240.0, "mean hours until then")
    back_in_stock_share: float = probability(0.15, "share of products on wish lists that are in stock again next")
    back_in_stock_after_h: float = number(336.0, "mean hours until then")
    low_stock_share: float = probability(0.20, "share of products on wish lists of which few are left next")
    low_stock_after_h: float = number(168.0, "mean hours until then")
    review_after_h: float = number(8 * 24.0, "hours from an order until it can be reviewed")
    replenish_scale_h: float = number(44 * 24.0, "scale of the hours until the goods of an order are used up", _WEIBULL)
    replenish_shape: float = number(0.93, "its shape", _WEIBULL, above_zero=True)
    win_back_after_h: float = number(45 * 24.0, "hours without a visit until a shopper is to be won back")
    favourite_share: float = probability(0.6, "share of visits for products of the favourite category")

    def __post_init__(self) -> None:
        check_numbers(self)
        if self.price_drop_share + self.back_in_stock_share + self.low_stock_share > 1.0:
            raise ValueError("price_drop_share, back_in_stock_share and low_stock_share must not sum to more than 1")

    def warmth(self, trigger: str) -> float:
        """Return how welcome a message is that answers a trigger, in [0, 1]."""
        warmth: float = getattr(self, f"warmth_{trigger}", self.warmth_other)
        return warmth

    @property
    def product_events(self) -> tuple[tuple[float, float], ...]:
        """The probability and the mean hours of each of `PRODUCT_EVENTS`."""
        return (
            (self.price_drop_share, self.price_drop_after_h),
            (self.back_in_stock_share, self.back_in_stock_after_h),
            (self.low_stock_share, self.low_stock_after_h),
        )


TRIGGER_TRAITS = TriggerTraits()
"""The numbers of the base world."""
