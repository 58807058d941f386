"""The numbers of the world: a flat table, in which each number has a meaning and a source.

A source is a publication, the project's research note on notification learning (*note*), or *judgement*: no usable
number is published. `Parameters` is frozen, and every mechanism reads the `Parameters` of its world's scenario. A
world with other numbers is therefore another scenario: ``replace(scenario, parameters=...)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from simulators.scenarios.channels import CHANNELS, SOURCES_OF_TRAITS, TRAITS, ChannelTable, ChannelTraits
from simulators.scenarios.number_fields import check_numbers, number, number_names, probability
from simulators.scenarios.trigger_traits import TRIGGER_TRAITS, TriggerTraits

_HOURS_PER_WEEK = 168.0

_NOTE = "judgement (note, section 6)"
_SWEEP = (
    "judgement: one e-mail a week keeps nine tenths of its effect, and daily e-mail earns less than five a week; "
    "10 e-mails instead of the best 7 lose 16 % (Zhang, Kumar and Cosguner, 2017)"
)


@dataclass(frozen=True)
class Parameters:
    """The numbers that all mechanisms of one world share; `describe_parameters` lists them with their sources.

    Raises
    ------
    ValueError
        When a number is not finite, or is negative, or a probability is above 1; the message names the number.

    Examples
    --------
    >>> PARAMETERS.with_values({"margin": 0.4, "email.looked": 0.3}).email.looked
    0.3
    >>> Parameters(margin=-1.0)
    Traceback (most recent call last):
    ValueError: margin must lie between 0 and 1, not -1.0
    """

    push: ChannelTraits = CHANNELS["push"]
    email: ChannelTraits = CHANNELS["email"]
    sms: ChannelTraits = CHANNELS["sms"]
    webpush: ChannelTraits = CHANNELS["webpush"]
    inapp: ChannelTraits = CHANNELS["inapp"]
    triggers: TriggerTraits = TRIGGER_TRAITS

    # Shoppers.
    click_logit_sd: float = number(0.6, "spread of the shoppers' logits of a click", _NOTE)
    channel_taste_sd: float = number(0.5, "spread of the shoppers' logits for a channel", _NOTE)
    taste_sd: float = number(0.45**0.5, "spread of the taste in each of its dimensions", _NOTE)
    category_sd: float = number(0.5, "spread of the message categories in each dimension of taste", _NOTE)
    message_sd: float = number(0.15, "spread of the messages' logits of a click", _NOTE)
    offer_logit: float = number(0.0, "logits of a click that its discount adds to an offer", least=-math.inf)
    device_taste: float = number(0.35, "logits of a device's channels: push, in-app mobile; web push, e-mail desktop")
    irritability_log_sd: float = number(0.5, "spread of the logarithm of the factor on opting out", _NOTE)
    tolerance_log_mean: float = number(
        math.log(5.0),
        "mean logarithm of the tolerated weighted sends per week",
        "10 % at 1, half at 5: Localytics (2017)",
        least=-math.inf,
    )
    tolerance_log_sd: float = number(1.2, "its spread", "10 % at 1, half at 5: Localytics (2017)")
    shift_sd_h: float = number(1.1, "spread of the hours that shoppers live later than the average", "Online Retail")
    visits_shape: float = number(
        0.7, "gamma shape of the rates of visits", "NBD .36 to .83: CDNOW, Online Retail", above_zero=True
    )
    mobile_share: float = probability(0.7, "share of shoppers with a mobile device")

    # Visits, lapsing and orders.
    cart_share: float = probability(0.08, "share of visits that leave a cart", "judgement; 70 % of carts: Baymard")
    view_share: float = probability(0.5, "share of visits with a product view")
    wish_share: float = probability(0.15, "share of product views that put the product on the wish list")
    lapse_per_visit: float = probability(
        0.01,
        "probability that a shopper lapses after a visit",
        ".25 per order, BG/NBD of CDNOW (Fader, Hardie and Lee, 2005), and an order in one of 25 visits",
    )
    lapsed_at_start: float = probability(0.1, "share of shoppers who have lapsed before the calendar starts")
    win_back_per_visit: float = probability(
        0.2, "probability that a visit because of a message wins a lapsed shopper back"
    )
    uninstall_per_lapse: float = probability(0.25, "probability that a shopper who lapses uninstalls the app")
    lapse_per_opt_out: float = probability(
        0.6,
        "probability that a shopper who opts out lapses",
        "at 2 to 5 pushes a week 37 % would disable push, and 22 % would leave the app: Localytics (2017), a survey",
    )
    lapsed_looks: float = probability(
        0.5, "messages that a shopper looks at after she has lapsed, as a share of before"
    )
    order_base: float = probability(
        0.022, "probability of an order in a visit without intent", "orders in 5.4 % of visits: Hillstrom's control"
    )
    order_per_intent: float = probability(0.10, "what full intent adds to it", "the same orders: Hillstrom")
    conversion_base: float = probability(
        0.05, "probability of an order after a click without intent", "1 in 20: Omnisend"
    )
    conversion_per_intent: float = probability(0.30, "what full intent adds to it", "1 in 3: Omnisend (2023)")
    cart_intent: float = probability(1.0, "intent after a cart")
    view_intent: float = probability(0.4, "intent after a product view")
    after_order: float = probability(0.1, "share of the intent that an order leaves")
    intent_half_life_h: float = number(
        48.0,
        "hours until half of the intent is gone",
        "cart e-mails a day later convert .35 to .6 as often: SaleCycle, Barilliance, Omnisend",
        above_zero=True,
    )
    need_half_life_h: float = number(168.0, "hours after an order until half of the need is back", above_zero=True)
    value_log_mean: float = number(
        4.40, "mean logarithm of order values in dollars", "Hillstrom's buyers", least=-math.inf
    )
    value_log_sd: float = number(0.84, "its spread", "Hillstrom's buyers")
    margin: float = probability(0.30, "margin of an order, as a share of its value")
    return_lag_h: float = number(48.0, "mean hours from a message to the visit that it causes without a click")
    later_orders: float = probability(
        0.4,
        "share of conversions that do not directly follow the click",
        "judgement; Starbucks' log: half after two days",
    )
    order_lag_h: float = number(36.0, "mean hours from the click to such a conversion")
    order_horizon_h: float = number(168.0, "longest lag of an order")
    refunding_share: float = probability(
        0.25, "share of shoppers who send orders back", "one in four: retailers' surveys"
    )
    least_refunds: float = probability(0.05, "smallest share of orders that such a shopper sends back", "5 to 15 %")
    most_refunds: float = probability(0.15, "largest share of orders that such a shopper sends back", "5 to 15 %")
    refund_after_h: float = number(48.0, "hours from the order until the goods arrive")
    refund_within_h: float = number(336.0, "hours in which goods can be sent back", "14 days: Directive 2011/83/EU")

    # Fatigue.
    click_logit_per_overload: float = number(1.0, "logits of a click that a unit of overload costs", _SWEEP)
    most_overload: float = number(4.0, "overload above which clicks fall no further", _NOTE)
    click_logit_per_staleness: float = number(0.3, "logits of a click that a unit of staleness costs", _SWEEP)
    load_half_life_h: float = number(84.0, "hours until half of the load is gone", _NOTE, above_zero=True)
    tolerated: float = number(0.5, "share of the tolerated load above which shoppers tire", _NOTE)
    staleness_half_life_h: float = number(
        360.0,
        "hours until half of the staleness is gone",
        "Yancey and Settles (2020)",
        above_zero=True,
    )
    attention_click: float = number(0.05, "attention that a click adds", _NOTE)
    attention_ignore: float = number(0.05, "attention that a send without a click costs", _SWEEP)
    least_attention: float = probability(0.3, "least attention", _NOTE)
    attention_recovery_per_h: float = number(
        0.0048, "share of the inattention that is gone after an hour", _SWEEP, above_zero=True
    )
    opt_out_per_overload: float = number(1.1, "logarithm of the factor on opting out per unit of overload", _NOTE)
    most_opt_out_overload: float = number(3.0, "overload above which opt-outs rise no further", _NOTE)
    opt_out_factor_at_night: float = number(2.0, "factor on opting out for a message that arrives at night", _NOTE)
    opt_out_factor_after_click: float = probability(0.3, "factor on opting out after a click", _NOTE)
    uninstall_share: float = probability(
        0.1, "probability of uninstalling the app, as a share of that of opting out", _NOTE
    )

    def __post_init__(self) -> None:
        check_numbers(self)

    def channel(self, name: str) -> ChannelTraits:
        """Return the traits of a channel."""
        traits: ChannelTraits = getattr(self, name)
        return traits

    def channel_table(self, names: tuple[str, ...]) -> ChannelTable:
        """Return the traits of channels as columns."""
        return ChannelTable(names, tuple(self.channel(name) for name in names))

    def with_values(self, values: Mapping[str, float]) -> Parameters:
        """Return the table with other values, by the names of `describe_parameters`.

        Raises
        ------
        ValueError
            When a name or a value is impossible.
        """
        changes: dict[str, Any] = {}
        for name, value in values.items():
            part, _, number_of_part = name.rpartition(".")
            if number_of_part in _PARTS.get(part, ()):
                changes[part] = replace(changes.get(part, getattr(self, part)), **{number_of_part: value})
            elif name in _NUMBERS:
                changes[name] = value
            else:
                raise ValueError(f"no parameter has the name {name!r}")
        return replace(self, **changes)

    @cached_property
    def mean_order_value(self) -> float:
        """The expected value of an order, in money."""
        return math.exp(self.value_log_mean + self.value_log_sd**2 / 2)

    @cached_property
    def load_per_weekly_send(self) -> float:
        """Load of a shopper who gets one weighted send per week for long: converts load into sends per week."""
        return self.load_half_life_h / math.log(2.0) / _HOURS_PER_WEEK


_NUMBERS = number_names(Parameters)
_PARTS: Mapping[str, tuple[str, ...]] = {**dict.fromkeys(CHANNELS, TRAITS), "triggers": number_names(TriggerTraits)}
"""Parts of the table → the names of their numbers."""


PARAMETERS = Parameters()
"""The numbers of the base world."""


@dataclass(frozen=True)
class ParameterRow:
    """One row of the table of parameters."""

    name: str
    value: float
    meaning: str
    source: str


def describe_parameters(parameters: Parameters) -> list[ParameterRow]:
    """Return every number of the world with its meaning and its source.

    >>> [row.value for row in describe_parameters(PARAMETERS) if row.name == "margin"]
    [0.3]
    """
    traits = [
        ParameterRow(f"{channel}.{trait}", getattr(parameters.channel(channel), trait), "see `ChannelTraits`", source)
        for channel in CHANNELS
        for trait, source in SOURCES_OF_TRAITS.items()
    ]
    triggers = _describe_numbers(parameters.triggers, "triggers.")
    return [*traits, *triggers, *_describe_numbers(parameters)]


def _describe_numbers(part: Any, prefix: str = "") -> Iterator[ParameterRow]:
    for one in fields(part):
        if "meaning" in one.metadata:
            meaning, source = one.metadata["meaning"], one.metadata["source"]
            yield ParameterRow(f"{prefix}{one.name}", getattr(part, one.name), meaning, source)
