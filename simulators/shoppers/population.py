"""The population: the fixed traits of the shoppers, drawn once before the first tick."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray
from simulators.random_streams import DrawColumn, RandomStreams
from simulators.scenarios.channels import ChannelTable
from simulators.scenarios.parameters import Parameters
from simulators.scenarios.scenario import Scenario
from simulators.scenarios.trigger_traits import PRODUCT_CATEGORIES, TriggerTraits
from simulators.shoppers.presence import LARGEST_SHIFT_H

Float32Array = NDArray[np.float32]

TASTE_DIMENSIONS = 4

_DEVICE_SIGN = {"push": 1.0, "inapp": 1.0, "sms": 0.0, "email": -1.0, "webpush": -1.0}
"""Channel → 1 if mobile shoppers like the channel more than desktop shoppers, -1 if they like it less."""


@dataclass(frozen=True)
class Population:
    """Fixed traits of N shoppers, as columns (N,), float32 unless another type is given.

    Attributes
    ----------
    visits_per_hour
        Rate of visits that no message caused, per hour of mean presence.
    shift_h
        The number of hours that the shopper lives later than the average, float64.
    click_logit, irritability, tolerance
        Logits added to every click, factor on the probability of opting out, tolerated weighted sends per week.
    channel_taste, taste
        Logits by channel, (N, C); taste for kinds of messages, (N, 4).
    consent
        Consent by channel at the start, (N, C) bool.
    mobile, favourite
        Whether the device is mobile, bool; number of the favourite product category, int8.
    replenish_h
        Hours after which the goods of an order are used up.
    refunds
        Share of the orders that the shopper sends back.
    lapsed
        Whether the shopper has lapsed before the calendar starts, bool.
    joins
        Hour of the simulated period in which the shopper joins, int32; 0 for shoppers who are there from the start.
    """

    visits_per_hour: Float32Array
    shift_h: FloatArray
    click_logit: Float32Array
    irritability: Float32Array
    tolerance: Float32Array
    channel_taste: Float32Array
    taste: Float32Array
    consent: BoolArray
    mobile: BoolArray
    favourite: NDArray[np.int8]
    replenish_h: Float32Array
    refunds: Float32Array
    lapsed: BoolArray
    joins: NDArray[np.int32]

    @classmethod
    def draw(cls, scenario: Scenario, shoppers: int, channels: ChannelTable, streams: RandomStreams) -> Population:
        parameters, count = scenario.parameters, len(channels.names)

        def column(name: str, draw: DrawColumn) -> NDArray[Any]:
            return streams.draw_column(name, shoppers, draw)

        def normals(name: str, deviation: float, *shape: int) -> Float32Array:
            return column(name, lambda random, size: _draw_normals(random, deviation, size, *shape))

        def log_normals(name: str, mean: float, deviation: float) -> Float32Array:
            return np.asarray(np.exp(normals(name, deviation) + np.float32(mean)))

        mobile = column("mobile", lambda random, size: random.random(size) < parameters.mobile_share)
        signs = np.array([_DEVICE_SIGN[name] for name in channels.names], dtype=np.float32)
        channel_taste = normals("channel taste", parameters.channel_taste_sd, count)
        channel_taste += parameters.device_taste * signs * np.where(mobile, 1.0, -1.0).astype(np.float32)[:, None]
        shift = column("shift", lambda random, size: random.normal(0.0, parameters.shift_sd_h, size))
        tolerance = parameters.tolerance_log_mean + np.log(scenario.tolerance)
        rates = column("visits", lambda random, size: random.standard_gamma(parameters.visits_shape, size))
        joins = column("joins", partial(_draw_joins, scenario))
        lapsed = column("lapsed", lambda random, size: random.random(size) < parameters.lapsed_at_start)
        return cls(
            visits_per_hour=(rates / parameters.visits_shape * scenario.visits_per_week / 168.0).astype(np.float32),
            shift_h=np.clip(shift, -LARGEST_SHIFT_H, LARGEST_SHIFT_H),
            click_logit=normals("click logit", parameters.click_logit_sd),
            irritability=log_normals("irritability", np.log(scenario.irritability), parameters.irritability_log_sd),
            tolerance=log_normals("tolerance", tolerance, parameters.tolerance_log_sd),
            channel_taste=channel_taste,
            taste=normals("taste", parameters.taste_sd, TASTE_DIMENSIONS),
            consent=column("consent", lambda random, size: random.random((size, count)) < channels.consent),
            mobile=mobile,
            favourite=column("favourite", _draw_favourites),
            replenish_h=column("replenish", partial(_draw_replenish_h, parameters.triggers)),
            refunds=column("refunds", partial(_draw_refunds, parameters)),
            lapsed=lapsed & (joins == 0),
            joins=joins,
        )

    def __len__(self) -> int:
        return len(self.joins)


def _draw_normals(random: np.random.Generator, deviation: float, *shape: int) -> Float32Array:
    return np.asarray(random.standard_normal(shape, dtype=np.float32) * np.float32(deviation))


def _draw_favourites(random: np.random.Generator, count: int) -> NDArray[np.int8]:
    return random.integers(len(PRODUCT_CATEGORIES), size=count, dtype=np.int8)


def _draw_replenish_h(traits: TriggerTraits, random: np.random.Generator, count: int) -> Float32Array:
    hours = traits.replenish_scale_h * random.weibull(traits.replenish_shape, count)
    return hours.astype(np.float32)


def _draw_refunds(parameters: Parameters, random: np.random.Generator, count: int) -> Float32Array:
    """Draw the share of orders that shoppers send back: a quarter of the shoppers 5 to 15 %, the others none."""
    refunds, share = random.random((count, 2)).T
    shares = parameters.least_refunds + (parameters.most_refunds - parameters.least_refunds) * share
    return np.where(refunds < parameters.refunding_share, shares, 0.0).astype(np.float32)


def _draw_joins(scenario: Scenario, random: np.random.Generator, count: int) -> NDArray[np.int32]:
    """Draw who joins later, and in which hours, uniformly over the simulated period; 0 for all others."""
    growth = scenario.new_shoppers_per_week * scenario.weeks
    chance, when = random.random((count, 2)).T
    hours = 1 + (when * (scenario.hours - 1)).astype(np.int32)
    return np.where(chance < growth / (1.0 + growth), hours, 0).astype(np.int32)
