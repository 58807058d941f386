"""The population: the fixed traits of the shoppers, drawn once before the first tick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators import parameters
from simulators.arrays import BoolArray, FloatArray
from simulators.parameters import ChannelTable
from simulators.random_streams import Purpose, RandomStreams
from simulators.scenario import Scenario
from simulators.shoppers.presence import LARGEST_SHIFT_H

Float32Array = NDArray[np.float32]

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
    clicker, irritability, tolerance
        Logits added to every click, factor on the probability of opting out, tolerated weighted sends per week.
    channel_taste, taste
        Logits by channel, (N, C); taste for kinds of messages, (N, 4).
    consent
        Consent by channel at the start, (N, C) bool.
    mobile, favourite
        Whether the device is mobile, bool; number of the favourite product category, int8.
    replenish_h
        Hours after which the goods of an order are used up.
    joins
        Hour of the simulated period in which the shopper joins, int32; 0 for shoppers who are there from the start.
    """

    visits_per_hour: Float32Array
    shift_h: FloatArray
    clicker: Float32Array
    irritability: Float32Array
    tolerance: Float32Array
    channel_taste: Float32Array
    taste: Float32Array
    consent: BoolArray
    mobile: BoolArray
    favourite: NDArray[np.int8]
    replenish_h: Float32Array
    joins: NDArray[np.int32]

    @classmethod
    def draw(cls, scenario: Scenario, shoppers: int, channels: ChannelTable, streams: RandomStreams) -> Population:
        random, count = streams.generator(Purpose.latent), len(channels.names)
        mobile = random.random(shoppers) < parameters.MOBILE_SHARE
        signs = np.array([_DEVICE_SIGN[name] for name in channels.names], dtype=np.float32)
        taste = _draw_normals(random, parameters.CHANNEL_TASTE_SD, shoppers, count)
        taste += parameters.DEVICE_TASTE * signs * np.where(mobile, 1.0, -1.0).astype(np.float32)[:, None]
        shift = np.clip(random.normal(0.0, parameters.SHIFT_SD_H, shoppers), -LARGEST_SHIFT_H, LARGEST_SHIFT_H)
        tolerance = parameters.TOLERANCE_LOG_MEAN + np.log(scenario.tolerance)
        rates = random.standard_gamma(parameters.VISITS_SHAPE, shoppers) / parameters.VISITS_SHAPE
        return cls(
            visits_per_hour=(rates * scenario.visits_per_week / 168.0).astype(np.float32),
            shift_h=shift,
            clicker=_draw_normals(random, parameters.CLICKER_SD, shoppers),
            irritability=_draw_log_normals(
                random, np.log(scenario.irritability), parameters.IRRITABILITY_LOG_SD, shoppers
            ),
            tolerance=_draw_log_normals(random, tolerance, parameters.TOLERANCE_LOG_SD, shoppers),
            channel_taste=taste,
            taste=_draw_normals(random, parameters.TASTE_SD, shoppers, parameters.TASTE_DIMENSIONS),
            consent=random.random((shoppers, count), dtype=np.float32) < channels.consent,
            mobile=mobile,
            favourite=random.integers(len(parameters.PRODUCT_CATEGORIES), size=shoppers, dtype=np.int8),
            replenish_h=_draw_replenish_h(random, shoppers),
            joins=_draw_joins(random, scenario, shoppers),
        )

    def __len__(self) -> int:
        return len(self.joins)


def _draw_normals(random: np.random.Generator, deviation: float, *shape: int) -> Float32Array:
    return np.asarray(random.standard_normal(shape, dtype=np.float32) * np.float32(deviation))


def _draw_log_normals(random: np.random.Generator, mean: float, deviation: float, count: int) -> Float32Array:
    return np.asarray(np.exp(_draw_normals(random, deviation, count) + np.float32(mean)))


def _draw_replenish_h(random: np.random.Generator, count: int) -> Float32Array:
    hours = parameters.REPLENISH_SCALE_H * random.weibull(parameters.REPLENISH_SHAPE, count)
    return hours.astype(np.float32)


def _draw_joins(random: np.random.Generator, scenario: Scenario, shoppers: int) -> NDArray[np.int32]:
    """Draw the hours in which the last shoppers join, uniformly over the simulated period; 0 for all others."""
    growth = scenario.new_shoppers_per_week * scenario.weeks
    later = shoppers - round(shoppers / (1.0 + growth))
    hours = random.integers(1, scenario.hours, size=later, dtype=np.int32)
    return np.concatenate([np.zeros(shoppers - later, dtype=np.int32), np.sort(hours)])
