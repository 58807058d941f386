"""The population: the fixed traits of the shoppers, drawn once before the first tick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray
from simulators.channels import ChannelTable
from simulators.parameters import Parameters
from simulators.random_streams import Purpose, RandomStreams
from simulators.scenario import Scenario
from simulators.shoppers.presence import LARGEST_SHIFT_H
from simulators.trigger_traits import PRODUCT_CATEGORIES, REPLENISH_SCALE_H, REPLENISH_SHAPE

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
        parameters = scenario.parameters
        random, count = streams.generator(Purpose.latent), len(channels.names)
        mobile = random.random(shoppers) < parameters.mobile_share
        signs = np.array([_DEVICE_SIGN[name] for name in channels.names], dtype=np.float32)
        taste = _draw_normals(random, parameters.channel_taste_sd, shoppers, count)
        taste += parameters.device_taste * signs * np.where(mobile, 1.0, -1.0).astype(np.float32)[:, None]
        shift = np.clip(random.normal(0.0, parameters.shift_sd_h, shoppers), -LARGEST_SHIFT_H, LARGEST_SHIFT_H)
        tolerance = parameters.tolerance_log_mean + np.log(scenario.tolerance)
        joins = _draw_joins(random, scenario, shoppers)
        rates = random.standard_gamma(parameters.visits_shape, shoppers) / parameters.visits_shape
        return cls(
            visits_per_hour=(rates * scenario.visits_per_week / 168.0).astype(np.float32),
            shift_h=shift,
            click_logit=_draw_normals(random, parameters.click_logit_sd, shoppers),
            irritability=_draw_log_normals(
                random, np.log(scenario.irritability), parameters.irritability_log_sd, shoppers
            ),
            tolerance=_draw_log_normals(random, tolerance, parameters.tolerance_log_sd, shoppers),
            channel_taste=taste,
            taste=_draw_normals(random, parameters.taste_sd, shoppers, TASTE_DIMENSIONS),
            consent=random.random((shoppers, count), dtype=np.float32) < channels.consent,
            mobile=mobile,
            favourite=random.integers(len(PRODUCT_CATEGORIES), size=shoppers, dtype=np.int8),
            replenish_h=_draw_replenish_h(random, shoppers),
            refunds=_draw_refunds(random, parameters, shoppers),
            lapsed=(random.random(shoppers) < parameters.lapsed_at_start) & (joins == 0),
            joins=joins,
        )

    def __len__(self) -> int:
        return len(self.joins)


def _draw_normals(random: np.random.Generator, deviation: float, *shape: int) -> Float32Array:
    return np.asarray(random.standard_normal(shape, dtype=np.float32) * np.float32(deviation))


def _draw_log_normals(random: np.random.Generator, mean: float, deviation: float, count: int) -> Float32Array:
    return np.asarray(np.exp(_draw_normals(random, deviation, count) + np.float32(mean)))


def _draw_replenish_h(random: np.random.Generator, count: int) -> Float32Array:
    hours = REPLENISH_SCALE_H * random.weibull(REPLENISH_SHAPE, count)
    return hours.astype(np.float32)


def _draw_refunds(random: np.random.Generator, parameters: Parameters, count: int) -> Float32Array:
    """Draw the share of orders that shoppers send back: a quarter of the shoppers 5 to 15 %, the others none."""
    shares = random.uniform(parameters.least_refunds, parameters.most_refunds, count)
    return np.where(random.random(count) < parameters.refunding_share, shares, 0.0).astype(np.float32)


def _draw_joins(random: np.random.Generator, scenario: Scenario, shoppers: int) -> NDArray[np.int32]:
    """Draw the hours in which the last shoppers join, uniformly over the simulated period; 0 for all others."""
    growth = scenario.new_shoppers_per_week * scenario.weeks
    later = shoppers - round(shoppers / (1.0 + growth))
    hours = random.integers(1, scenario.hours, size=later, dtype=np.int32)
    return np.concatenate([np.zeros(shoppers - later, dtype=np.int32), np.sort(hours)])
