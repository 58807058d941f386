"""The numbers of the world, each with its source.

A number was computed from data, or fitted to a published rate, or it is *judgement*: no usable number is
published. ``note`` is the project's research note on notification learning.

A message has its effects (click, load, staleness, opt-out) when the shopper sees it. The note states load,
staleness, inattention and opt-outs per *send*. They are divided here by the share of the channel's messages that
shoppers ever look at. Then ``python -m benchmarks calibrate`` fits the intercepts of clicks and opt-outs to the
published rates per send; it prints the `ChannelTraits.intercept` and `ChannelTraits.opt_out` of this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulators.arrays import BoolArray, FloatArray


@dataclass(frozen=True)
class ChannelTraits:
    """How one channel behaves.

    Attributes
    ----------
    consent
        Share of shoppers who consent to the channel at the start.
    looked
        Share of delivered messages that shoppers ever look at.
    per_hour
        Rate at which shoppers see the messages that they look at, per hour of mean presence.
    stays_h
        Hours after which an unseen message expires.
    intercept
        Logit of a click on a seen message, for an average shopper without intent or fatigue.
    weight
        Load of a seen message, in units of one push sent.
    opt_out
        Probability of an opt-out per seen message, for a rested shopper by day.
    returning
        Probability that a shopper who saw a message and did not click visits the shop in the next hours.
    complaints
        Share of opt-outs that are complaints.
    """

    consent: float
    looked: float
    per_hour: float
    stays_h: float
    intercept: float
    weight: float
    opt_out: float
    returning: float
    complaints: float

    def __post_init__(self) -> None:
        for name in ("consent", "looked", "opt_out", "returning", "complaints"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")
        for name in ("per_hour", "stays_h", "weight"):
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be a number of at least 0, not {getattr(self, name)}")


# consent      push .56 to .67 (Batch 2025), web push .05 to .25 (Reachbell 2026); e-mail, SMS, in-app judgement.
# looked       starting values of the note; judgement.
# per_hour     ln 2 / median delay: push 48 min (Leanplum), e-mail 3 h (Inntopia, 4 million e-mails), web push 1 h
#              (Bizcognia); SMS judgement. In-app has no rate: shoppers see it at their next visit.
# stays_h      judgement.
# intercept    fitted so that 4.3 / 2.1 / 7.6 / 3.6 % of the sends of a weekly broadcast at 21 h are clicked (note,
#              section 6, inside the published bands of section 3); in-app 9.9 % of the seen messages is judgement.
# weight       the note's 1 / .35 / 1.6 / .9 / .3 per send (judgement), divided by `looked`.
# opt_out      fitted to .14 / .20 / 1.0 % of weekly broadcasts (note, section 6; e-mail .18 to .27 % Klaviyo and
#              Mailchimp, SMS .9 % Postscript); web push and in-app judgement.
# returning    e-mail: fitted to Hillstrom's randomised e-mail test (2008), where visits rose by 4.5 to 7.7 points, of
#              which clicks explain some 2.5; the others 0: no randomised test of them is public.
# complaints   e-mail .005 to .012 % of sends (Mailchimp); SMS judgement; the other channels have no complaints.
CHANNELS: dict[str, ChannelTraits] = {
    "push": ChannelTraits(0.56, 0.60, 0.87, 24.0, -3.075, 1.0 / 0.60, 0.00176, 0.0, 0.0),
    "email": ChannelTraits(0.75, 0.40, 0.23, 72.0, -3.178, 0.35 / 0.40, 0.00442, 0.10, 0.04),
    "sms": ChannelTraits(0.25, 0.95, 7.0, 24.0, -2.780, 1.6 / 0.95, 0.00856, 0.0, 0.04),
    "webpush": ChannelTraits(0.10, 0.70, 0.70, 24.0, -3.200, 0.9 / 0.70, 0.00368, 0.0, 0.0),
    "inapp": ChannelTraits(0.90, 1.00, 0.0, 24.0, -2.60, 0.3, 0.0001, 0.0, 0.0),
}
"""The traits of the channels that the world knows, by name."""

IN_APP = "inapp"
APP_CHANNELS = ("push", IN_APP)
"""Channels that end when the shopper uninstalls the app."""

# Shoppers. Spreads are judgement (note, section 6) unless a source is given.
CLICK_LOGIT_SD = 0.6
CHANNEL_TASTE_SD = 0.5
TASTE_DIMENSIONS = 4
TASTE_SD = 0.45**0.5
CATEGORY_SD = 0.5
MESSAGE_SD = 0.15
IRRITABILITY_LOG_SD = 0.5
TOLERANCE_LOG_MEAN, TOLERANCE_LOG_SD = float(np.log(5.0)), 1.2  # 10 % at 1 a week, half at 5: Localytics (2017)
SHIFT_SD_H = 1.1  # between-customer SD of the mean hour is 1.14 h: Online Retail
VISITS_SHAPE = 0.7  # NBD shapes .36 to .83: CDNOW and Online Retail
MOBILE_SHARE = 0.7
DEVICE_TASTE = 0.35
"""Logits that a device adds to its channels (push and in-app for mobile, web push and e-mail for desktop)."""

# Visits and orders.
CART_SHARE = 0.08  # share of visits that leave a cart; judgement. 70 % of carts are abandoned: Baymard.
VIEW_SHARE = 0.5  # share of visits with a product view; judgement
WISH_SHARE = 0.15  # share of product views that put the product on the wish list; judgement
ORDER_BASE, ORDER_PER_INTENT = 0.022, 0.10  # visits without a message: Hillstrom's control orders in 5.4 % of visits
CONVERSION_BASE, CONVERSION_PER_INTENT = 0.05, 0.30  # after a click: Omnisend (2023), 1 in 20 to 1 in 3
CART_INTENT, VIEW_INTENT, AFTER_ORDER = 1.0, 0.4, 0.1  # judgement
INTENT_HALF_LIFE_H = 12.0  # judgement
NEED_HALF_LIFE_H = 168.0  # an order satisfies the need, and half of the need is back after a week; judgement
VALUE_LOG_MEAN, VALUE_LOG_SD = 4.40, 0.84  # order values in dollars: Hillstrom's buyers
MARGIN = 0.30  # judgement
RETURN_LAG_H = 48.0  # mean; judgement within Hillstrom's two weeks
LATER_ORDERS, ORDER_LAG_H, ORDER_HORIZON_H = 0.4, 36.0, 168.0
"""Share of conversions that do not directly follow the click, their mean lag, and the longest lag; judgement. Half
of the completed offers in Starbucks' log come after two days."""

# Fatigue (judgement, note section 6). The numbers that begin with CLICK_LOGIT change the logit of a click.
CLICK_LOGIT_PER_INTENT = 1.5
CLICK_LOGIT_PER_OVERLOAD, MOST_OVERLOAD = 0.35, 4.0
CLICK_LOGIT_PER_STALENESS = 0.5
LOAD_HALF_LIFE_H = 84.0
LOAD_PER_WEEKLY_SEND = LOAD_HALF_LIFE_H / np.log(2.0) / 168.0
"""Load of a shopper who gets one weighted send per week for long: converts load into sends per week."""
TOLERATED = 0.5
STALENESS_HALF_LIFE_H = 15 * 24.0  # 15 days: Yancey and Settles (2020)
ATTENTION_CLICK, ATTENTION_IGNORE, LEAST_ATTENTION = 0.05, 0.01, 0.3
ATTENTION_RECOVERY_PER_H = 0.0012
OPT_OUT_PER_OVERLOAD, MOST_OPT_OUT_OVERLOAD = 1.1, 3.0
OPT_OUT_FACTOR_AT_NIGHT, NIGHT_PRESENCE = 2.0, 0.35
OPT_OUT_FACTOR_AFTER_CLICK = 0.3
UNINSTALL_SHARE = 0.1
"""Probability of uninstalling the app, as a share of the opt-out probability; push and in-app end with the app."""

# Triggers (judgement, except that flows are clicked 3.6 times as often as campaigns: e-mail 4.67 % against 1.29 %,
# Klaviyo). The warmth of a trigger says how welcome a message is that answers it, on the scale of intent; it fades
# like intent. An abandoned cart and a product view also raise the intent itself.
WARMTH: dict[str, float] = {
    "cart_abandoned": 1.0,
    "product_viewed": 0.4,
    "wishlist": 0.5,
    "price_drop": 0.7,
    "back_in_stock": 0.8,
    "low_stock": 0.6,
    "post_purchase": 0.5,
    "first_order": 0.7,
    "review_request": 0.3,
    "welcome": 0.8,
    "replenishment": 0.6,
    "win_back": 0.2,
    "seasonal": 0.2,
}
PRODUCT_EVENTS: tuple[tuple[str, float, float], ...] = (
    ("price_drop", 0.35, 240.0),
    ("back_in_stock", 0.15, 336.0),
    ("low_stock", 0.20, 168.0),
)
"""What can happen to a product on a wish list: trigger, probability, mean hours until the trigger."""
OTHER_WARMTH = 0.2
"""Warmth of a trigger that is in a catalogue and not in `WARMTH`; judgement."""
REVIEW_AFTER_H = 8 * 24
REPLENISH_SCALE_H, REPLENISH_SHAPE = 44 * 24.0, 0.93  # Weibull fit of gaps between orders: Online Retail
WIN_BACK_AFTER_H = 45 * 24
PRODUCT_CATEGORIES = ("shoes", "apparel", "accessories", "home")
FAVOURITE_SHARE = 0.6


@dataclass(frozen=True)
class ChannelTable:
    """Some channels with their traits as columns (C,), float64: see `ChannelTraits`."""

    names: tuple[str, ...]
    traits: tuple[ChannelTraits, ...]

    @classmethod
    def of(cls, names: tuple[str, ...]) -> ChannelTable:
        """Look up the traits of channels.

        Raises
        ------
        ValueError
            When the world does not know a channel; the message names the channel.
        """
        for name in names:
            if name not in CHANNELS:
                raise ValueError(f"channels.{name}: this world knows only {', '.join(CHANNELS)}")
        return cls(names, tuple(CHANNELS[name] for name in names))

    def _column(self, trait: str) -> FloatArray:
        return np.array([getattr(channel, trait) for channel in self.traits], dtype=np.float64)

    @cached_property
    def consent(self) -> FloatArray:
        return self._column("consent")

    @cached_property
    def looked(self) -> FloatArray:
        return self._column("looked")

    @cached_property
    def per_hour(self) -> FloatArray:
        return self._column("per_hour")

    @cached_property
    def stays_h(self) -> FloatArray:
        return self._column("stays_h")

    @cached_property
    def intercept(self) -> FloatArray:
        return self._column("intercept")

    @cached_property
    def weight(self) -> FloatArray:
        return self._column("weight")

    @cached_property
    def opt_out(self) -> FloatArray:
        return self._column("opt_out")

    @cached_property
    def returning(self) -> FloatArray:
        return self._column("returning")

    @cached_property
    def complaints(self) -> FloatArray:
        return self._column("complaints")

    @cached_property
    def in_app(self) -> BoolArray:
        """Whether shoppers see the channel's messages inside a visit, (C,)."""
        return np.array([name == IN_APP for name in self.names])

    @cached_property
    def of_app(self) -> BoolArray:
        """Whether the channel ends when the app is uninstalled, (C,)."""
        return np.array([name in APP_CHANNELS for name in self.names])


def trigger_warmth(trigger: str) -> float:
    """Return how welcome a message is that answers a trigger, in [0, 1].

    >>> trigger_warmth("cart_abandoned"), trigger_warmth("birthday")
    (1.0, 0.2)
    """
    return WARMTH.get(trigger, OTHER_WARMTH)
