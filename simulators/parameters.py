"""The numbers of the world, each with its source.

*Calibrated* numbers were computed from data or fitted to a published rate; *judgement* says that nobody
published a usable one. ``note`` is the project's research note on notification learning.

What a notification does (click, load, staleness, opt-out) it does when it is seen. The note states load,
staleness, inattention and opt-outs per *send*, so here each is divided by the share of a channel's messages
that is ever looked at; intercepts of clicks and opt-outs are then fitted to the published rates per send by
``python -m benchmarks calibrate``, which prints this file's `Channel.intercept` and `Channel.opt_out`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Channel:
    """How a way to reach shoppers behaves.

    Attributes
    ----------
    consent
        Share of shoppers who have consented at the start.
    looked
        Share of delivered messages that is ever looked at.
    per_hour
        Rate at which a message that will be looked at is seen, per hour of mean presence.
    stays_h
        Hours after which a message not seen expires.
    intercept
        Logit of a click on a message that is seen, for an average shopper without intent or fatigue.
    weight
        Load of a message that is seen, in pushes sent.
    opt_out
        Probability of an opt-out per message seen, rested, by day.
    returning
        Probability that who saw it and did not click comes by within the next hours all the same.
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
#              (Bizcognia); SMS judgement. In-app has none: it is seen at the shopper's next own visit.
# stays_h      judgement.
# intercept    fitted so that a weekly broadcast at 21 h is clicked by 4.3 / 2.1 / 7.6 / 3.6 % of sends (note, section
#              6, inside the published bands of section 3); in-app 9.9 % of those seen is judgement.
# weight       the note's 1 / .35 / 1.6 / .9 / .3 per send (judgement), divided by `looked`.
# opt_out      fitted to .14 / .20 / 1.0 % of weekly broadcasts (note, section 6; e-mail .18 to .27 % Klaviyo and
#              Mailchimp, SMS .9 % Postscript); web push and in-app judgement.
# returning    e-mail: fitted to Hillstrom's randomised e-mail test (2008), where visits rose by 4.5 to 7.7 points, of
#              which clicks explain some 2.5; the others 0: no randomised test of them is public.
# complaints   e-mail .005 to .012 % of sends (Mailchimp); SMS judgement; the others cannot be complained about.
CHANNELS: dict[str, Channel] = {
    "push": Channel(0.56, 0.60, 0.87, 24.0, -3.075, 1.0 / 0.60, 0.00176, 0.0, 0.0),
    "email": Channel(0.75, 0.40, 0.23, 72.0, -3.178, 0.35 / 0.40, 0.00442, 0.10, 0.04),
    "sms": Channel(0.25, 0.95, 7.0, 24.0, -2.780, 1.6 / 0.95, 0.00856, 0.0, 0.04),
    "webpush": Channel(0.10, 0.70, 0.70, 24.0, -3.200, 0.9 / 0.70, 0.00368, 0.0, 0.0),
    "inapp": Channel(0.90, 1.00, 0.0, 24.0, -2.60, 0.3, 0.0001, 0.0, 0.0),
}
"""The channels that this world knows."""

IN_APP = "inapp"
APP_CHANNELS = ("push", IN_APP)
"""Channels that uninstalling the app ends."""

# Shoppers. Spreads are judgement (note, section 6) except where a source stands.
CLICKER_SD = 0.6
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
"""How far a device moves its channels in logits: push and in-app for mobile, web push and e-mail for desktop."""

# Visits and orders.
CART_SHARE = 0.08  # of visits leave a cart; judgement. 70 % of carts are abandoned: Baymard.
VIEW_SHARE = 0.5  # of visits look at a product; judgement
WISH_SHARE = 0.15  # of views put it on the wish list; judgement
ORDER_BASE, ORDER_PER_INTENT = 0.022, 0.10  # own visits: Hillstrom's control orders in 5.4 % of visits
CONVERSION_BASE, CONVERSION_PER_INTENT = 0.05, 0.30  # after a click: Omnisend (2023), 1 in 20 to 1 in 3
CART_INTENT, VIEW_INTENT, AFTER_ORDER = 1.0, 0.4, 0.1  # judgement
INTENT_HALF_LIFE_H = 12.0  # judgement
NEED_HALF_LIFE_H = 168.0  # an order meets a need that returns by half in a week; judgement
VALUE_LOG_MEAN, VALUE_LOG_SD = 4.40, 0.84  # order values in dollars: Hillstrom's buyers
MARGIN = 0.30  # judgement
RETURN_LAG_H = 48.0  # mean; judgement within Hillstrom's two weeks
LATER_ORDERS, ORDER_LAG_H, ORDER_HORIZON_H = 0.4, 36.0, 168.0
"""Share of conversions that come later than the click, their mean lag, and the longest; judgement. Half of the
completed offers of Starbucks' log come after two days."""

# Fatigue (judgement, note section 6).
CLICK_PER_INTENT = 1.5
CLICK_PER_OVERLOAD, MOST_OVERLOAD = 0.35, 4.0
CLICK_PER_STALENESS = 0.5
LOAD_HALF_LIFE_H = 84.0
LOAD_PER_WEEKLY_SEND = LOAD_HALF_LIFE_H / np.log(2.0) / 168.0
"""The load at which one weighted send a week settles: it turns load into sends a week."""
TOLERATED = 0.5
STALENESS_HALF_LIFE_H = 15 * 24.0  # 15 days: Yancey and Settles (2020)
ATTENTION_CLICK, ATTENTION_IGNORE, LEAST_ATTENTION = 0.05, 0.01, 0.3
ATTENTION_RECOVERY_PER_H = 0.0012
OUT_PER_OVERLOAD, MOST_OUT_OVERLOAD = 1.1, 3.0
OUT_AT_NIGHT, NIGHT_LEVEL = 2.0, 0.35
OUT_IF_CLICKED = 0.3
UNINSTALL_SHARE = 0.1
"""Of the opt-out hazard: the whole app goes, and push and in-app with it."""

# Triggers (judgement, but that flows are clicked 3.6 times as often as campaigns: e-mail 4.67 % against 1.29 %,
# Klaviyo). How welcome a message on an occasion is, on the scale of intent, whatever else the shopper has in mind;
# it fades as intent does. A cart and a view raise the intent itself.
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
"""What may happen to a product on a wish list: trigger, probability, mean hours until then."""
OTHER_WARMTH = 0.2
"""Of a trigger that a catalogue has and this world does not know; judgement."""
REVIEW_AFTER_H = 8 * 24
REPLENISH_SCALE_H, REPLENISH_SHAPE = 44 * 24.0, 0.93  # Weibull fit of gaps between orders: Online Retail
WIN_BACK_AFTER_H = 45 * 24
PRODUCT_CATEGORIES = ("shoes", "apparel", "accessories", "home")
FAVOURITE_SHARE = 0.6


@dataclass(frozen=True)
class ChannelTable:
    """Some channels, and their traits as columns (C,), float64."""

    names: tuple[str, ...]
    traits: tuple[Channel, ...]

    @classmethod
    def of(cls, names: tuple[str, ...]) -> ChannelTable:
        """Look channels up.

        Raises
        ------
        ValueError
            Naming the channel that this world does not know.
        """
        for name in names:
            if name not in CHANNELS:
                raise ValueError(f"channels.{name}: this world knows only {', '.join(CHANNELS)}")
        return cls(names, tuple(CHANNELS[name] for name in names))

    def _column(self, trait: str) -> FloatArray:
        return np.array([getattr(own, trait) for own in self.traits], dtype=np.float64)

    @cached_property
    def consent(self) -> FloatArray:
        """Share of shoppers who consented."""
        return self._column("consent")

    @cached_property
    def looked(self) -> FloatArray:
        """Share of messages ever looked at."""
        return self._column("looked")

    @cached_property
    def per_hour(self) -> FloatArray:
        """Rate of seeing, per hour of mean presence."""
        return self._column("per_hour")

    @cached_property
    def stays_h(self) -> FloatArray:
        """Hours until a message expires."""
        return self._column("stays_h")

    @cached_property
    def intercept(self) -> FloatArray:
        """Logit of a click."""
        return self._column("intercept")

    @cached_property
    def weight(self) -> FloatArray:
        """Load of a message seen."""
        return self._column("weight")

    @cached_property
    def opt_out(self) -> FloatArray:
        """Opt-outs per message seen."""
        return self._column("opt_out")

    @cached_property
    def returning(self) -> FloatArray:
        """Visits of those who saw and did not click."""
        return self._column("returning")

    @cached_property
    def complaints(self) -> FloatArray:
        """Share of complaints among opt-outs."""
        return self._column("complaints")

    @cached_property
    def in_app(self) -> NDArray[np.bool_]:
        """Whether a channel lives inside visits."""
        return np.array([name == IN_APP for name in self.names])

    @cached_property
    def of_app(self) -> NDArray[np.bool_]:
        """Whether a channel ends with the app."""
        return np.array([name in APP_CHANNELS for name in self.names])


def warmth(trigger: str) -> float:
    """Give how welcome a message is that answers a trigger.

    >>> warmth("cart_abandoned"), warmth("birthday")
    (1.0, 0.2)
    """
    return WARMTH.get(trigger, OTHER_WARMTH)
