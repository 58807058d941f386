"""The population: who the shoppers are, drawn once before the first tick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators import parameters as of
from simulators.parameters import ChannelTable
from simulators.random_streams import Purpose, RandomStreams
from simulators.scenario import Scenario
from simulators.shoppers.presence import LARGEST_SHIFT_H

Single = NDArray[np.float32]

_DEVICE_SIGN = {"push": 1.0, "inapp": 1.0, "sms": 0.0, "email": -1.0, "webpush": -1.0}
"""Channels that mobile shoppers like more than others (1), and less (-1)."""


@dataclass(frozen=True)
class Population:
    """What does not change about N shoppers: columns (N,), float32 where not said otherwise.

    Attributes
    ----------
    visits_per_hour
        Rate of own visits per hour of mean presence.
    shift_h
        Hours by which a shopper's day is later than most, float64.
    clicker, irritability, tolerance
        Readiness to click (logits), hazard factor of opting out, tolerated weighted sends a week.
    channel_taste, taste
        (N, C) logits and (N, 4).
    consent
        (N, C) bool, at the start.
    mobile, favourite
        Device, and number of the product category looked at most.
    replenish_h
        Hours after which an order's goods are used up.
    joins
        Tick at which a shopper appears, int32; 0 for those there from the start.
    """

    visits_per_hour: Single
    shift_h: NDArray[np.float64]
    clicker: Single
    irritability: Single
    tolerance: Single
    channel_taste: Single
    taste: Single
    consent: NDArray[np.bool_]
    mobile: NDArray[np.bool_]
    favourite: NDArray[np.int8]
    replenish_h: Single
    joins: NDArray[np.int32]

    @classmethod
    def draw(cls, scenario: Scenario, shoppers: int, channels: ChannelTable, streams: RandomStreams) -> Population:
        """Draw shoppers."""
        random, count = streams.generator(Purpose.latent), len(channels.names)
        mobile = random.random(shoppers) < of.MOBILE_SHARE
        signs = np.array([_DEVICE_SIGN[name] for name in channels.names], dtype=np.float32)
        taste = _normal(random, of.CHANNEL_TASTE_SD, shoppers, count)
        taste += of.DEVICE_TASTE * signs * np.where(mobile, 1.0, -1.0).astype(np.float32)[:, None]
        shift = np.clip(random.normal(0.0, of.SHIFT_SD_H, shoppers), -LARGEST_SHIFT_H, LARGEST_SHIFT_H)
        tolerance = of.TOLERANCE_LOG_MEAN + np.log(scenario.tolerance)
        rates = random.standard_gamma(of.VISITS_SHAPE, shoppers) / of.VISITS_SHAPE
        return cls(
            visits_per_hour=(rates * scenario.visits_per_week / 168.0).astype(np.float32),
            shift_h=shift,
            clicker=_normal(random, of.CLICKER_SD, shoppers),
            irritability=np.exp(
                _normal(random, of.IRRITABILITY_LOG_SD, shoppers) + np.float32(np.log(scenario.irritability))
            ),
            tolerance=np.exp(_normal(random, of.TOLERANCE_LOG_SD, shoppers) + np.float32(tolerance)),
            channel_taste=taste,
            taste=_normal(random, of.TASTE_SD, shoppers, of.TASTE_DIMENSIONS),
            consent=random.random((shoppers, count), dtype=np.float32) < channels.consent,
            mobile=mobile,
            favourite=random.integers(len(of.PRODUCT_CATEGORIES), size=shoppers, dtype=np.int8),
            replenish_h=(of.REPLENISH_SCALE_H * random.weibull(of.REPLENISH_SHAPE, shoppers)).astype(np.float32),
            joins=_joins(random, scenario, shoppers),
        )

    def __len__(self) -> int:
        return len(self.joins)


def _normal(random: np.random.Generator, deviation: float, *shape: int) -> Single:
    return random.standard_normal(shape, dtype=np.float32) * np.float32(deviation)


def _joins(random: np.random.Generator, scenario: Scenario, shoppers: int) -> NDArray[np.int32]:
    """Let the last of the shoppers join evenly over the calendar."""
    growth = scenario.new_shoppers_per_week * scenario.weeks
    later = shoppers - round(shoppers / (1.0 + growth))
    ticks = random.integers(1, scenario.hours, size=later, dtype=np.int32)
    return np.concatenate([np.zeros(shoppers - later, dtype=np.int32), np.sort(ticks)])
