"""The channels of the world: their traits, each with its source.

A source is a publication, the project's research note on notification learning (*note*), or *judgement*: no usable
number is published. The note states rates per *send*; a message has its effects when the shopper sees it. Therefore
``python -m benchmarks calibrate`` fits `ChannelTraits.intercept`, `opt_out` and `per_intent` to the rates per send,
and prints these values.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
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
        Share of delivered messages that shoppers ever look at, as a mean over the hours of arrival.
    per_hour
        Rate at which shoppers see the messages that they look at, per hour of mean presence.
    tail
        How much this rate differs between messages: see `simulators.shoppers.sight`. 0: not at all.
    hour_effect
        How much the share of messages that shoppers look at follows the presence at the arrival; 0: not at all.
    stays_h
        Hours after which an unseen message expires.
    intercept
        Logit of a click on a seen message, for an average shopper without intent or fatigue.
    per_intent
        Logits of a click that full intent adds, for a message that answers a trigger.
    weight
        Load of a seen message, in units of one push sent.
    opt_out
        Probability of an opt-out per seen message, for a rested shopper by day.
    returning
        Probability that a rested shopper who saw a message and did not click visits the shop in the next hours.
    complaints
        Share of opt-outs that are complaints.
    """

    consent: float
    looked: float
    per_hour: float
    tail: float
    hour_effect: float
    stays_h: float
    intercept: float
    per_intent: float
    weight: float
    opt_out: float
    returning: float
    complaints: float

    def __post_init__(self) -> None:
        for name in ("consent", "looked", "hour_effect", "opt_out", "returning", "complaints"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")
        for name in ("per_hour", "tail", "stays_h", "weight"):
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be a number of at least 0, not {getattr(self, name)}")
        for name in ("intercept", "per_intent"):
            if not -float("inf") < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be a finite number, not {getattr(self, name)}")


SOURCES_OF_TRAITS: dict[str, str] = {
    "consent": "push Batch (2025), web push Reachbell (2026); e-mail, SMS and in-app judgement",
    "looked": "note, section 6: judgement",
    "per_hour": "push 48 min Leanplum; web push 1 h Bizcognia; e-mail 3 h Inntopia (4 million e-mails); SMS judgement; "
    "in-app has none: shoppers see its messages at their next visit",
    "tail": "e-mail: opens 27 / 50 / 61 % after 1 / 3 / 6 h (Inntopia), clicks 74 / 92 / 98 % by day 0 / 1 / 7 (note, "
    "section 3); the others judgement",
    "hour_effect": "push: clicks at 23 h are 11.4 / 7.8 of the mean over the hours of sending (published rates), and "
    "the presence at 23 h is 1.8; web push as push, the others 0: judgement",
    "stays_h": "judgement",
    "intercept": "fitted: clicks per send of a weekly broadcast: see `benchmarks.calibration`; in-app judgement",
    "per_intent": "fitted: clicks per cart reminder: see `benchmarks.calibration`; in-app judgement",
    "weight": "per send, divided by `looked`: note, section 6 (judgement); e-mail judgement: of those who get five "
    "a week from a shop 21 % find them too many, of those who get six or more two thirds (First Insight)",
    "opt_out": "fitted: opt-outs per send of a weekly broadcast: see `benchmarks.calibration`; in-app judgement: a "
    "third of the push's",
    "returning": "e-mail fitted to Hillstrom's randomised test (2008): visits rise by 4.5 to 7.7 points, and clicks "
    "explain some 2.5 of them; the others 0: no randomised test of them is public",
    "complaints": "e-mail .005 to .012 % of sends Mailchimp; SMS judgement; the other channels have no complaints",
}
"""Trait → where its values come from."""

CHANNELS: dict[str, ChannelTraits] = {
    "push": ChannelTraits(
        consent=0.56,
        looked=0.60,
        per_hour=0.87,
        tail=0.0,
        hour_effect=0.58,
        stays_h=24.0,
        intercept=-3.037,
        per_intent=1.67,
        weight=1.0 / 0.60,
        opt_out=0.00214,
        returning=0.0,
        complaints=0.0,
    ),
    "email": ChannelTraits(
        consent=0.75,
        looked=0.40,
        per_hour=1.0 / 3.0,
        tail=1.0,
        hour_effect=0.0,
        stays_h=168.0,
        intercept=-3.107,
        per_intent=2.93,
        weight=0.9 / 0.40,
        opt_out=0.00421,
        returning=0.10,
        complaints=0.04,
    ),
    "sms": ChannelTraits(
        consent=0.25,
        looked=0.95,
        per_hour=7.0,
        tail=0.0,
        hour_effect=0.0,
        stays_h=24.0,
        intercept=-2.662,
        per_intent=1.03,
        weight=1.6 / 0.95,
        opt_out=0.00925,
        returning=0.0,
        complaints=0.04,
    ),
    "webpush": ChannelTraits(
        consent=0.10,
        looked=0.70,
        per_hour=0.70,
        tail=0.0,
        hour_effect=0.58,
        stays_h=24.0,
        intercept=-3.116,
        per_intent=1.61,
        weight=0.9 / 0.70,
        opt_out=0.00398,
        returning=0.0,
        complaints=0.0,
    ),
    "inapp": ChannelTraits(
        consent=0.90,
        looked=1.00,
        per_hour=0.0,
        tail=0.0,
        hour_effect=0.0,
        stays_h=24.0,
        intercept=-2.60,
        per_intent=1.5,
        weight=0.3,
        opt_out=0.0007,
        returning=0.0,
        complaints=0.0,
    ),
}
"""The traits of the channels that the world knows, by name."""

IN_APP = "inapp"
APP_CHANNELS = ("push", IN_APP)
"""Channels that end when the shopper uninstalls the app."""


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
    def tail(self) -> FloatArray:
        return self._column("tail")

    @cached_property
    def hour_effect(self) -> FloatArray:
        return self._column("hour_effect")

    @cached_property
    def stays_h(self) -> FloatArray:
        return self._column("stays_h")

    @cached_property
    def intercept(self) -> FloatArray:
        return self._column("intercept")

    @cached_property
    def per_intent(self) -> FloatArray:
        return self._column("per_intent")

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


TRAITS = tuple(field.name for field in fields(ChannelTraits))
"""The names of the traits."""
