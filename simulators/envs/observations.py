"""The observation of a shopper: facts that a shop can know, each with its name."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.envs.actions import CHANNELS
from simulators.scenarios.scenario import Scenario
from simulators.world.tick import Tick
from simulators.world.triggers import SCHEDULED_TRIGGERS, SEASONAL
from simulators.world.world import World

TRIGGERS = ("cart_abandoned", "product_viewed", "wishlist", "post_purchase", *SCHEDULED_TRIGGERS, SEASONAL)
"""Every type of trigger that occurs in a world."""

OBSERVATIONS = (
    *("weekday_sine", "weekday_cosine", "time_passed"),
    *(f"consent_{channel}" for channel in CHANNELS),
    *(f"sends_{channel}" for channel in CHANNELS),
    *("since_last_send", "clicks", "orders"),
    *(f"trigger_{trigger}" for trigger in TRIGGERS),
    *("promotion", "joined", "mobile"),
)
"""The names of the numbers of an observation, in their order."""
OBSERVED = len(OBSERVATIONS)

_TRIGGER_MEMORY_H = 24


class RecentTriggers:
    """The triggers of N shoppers in the last 24 hours."""

    def __init__(self, shoppers: int) -> None:
        self._at = np.full((shoppers, len(TRIGGERS)), -np.inf)

    def record_tick(self, tick: Tick) -> None:
        """Record the triggers of an hour."""
        for triggers in tick.triggers:
            self._at[triggers.shoppers, TRIGGERS.index(triggers.kind)] = tick.hour

    def at(self, hour: int) -> BoolArray:
        """Return which triggers happened in the 24 hours before an hour, (N, triggers)."""
        return np.asarray(hour - self._at <= _TRIGGER_MEMORY_H)


class ShopMemory:
    """What a shop remembers of N shoppers: its last sends, and the clicks, orders and triggers that were reported."""

    def __init__(self, shoppers: int) -> None:
        self._triggers = RecentTriggers(shoppers)
        self._sent = np.zeros((7, shoppers, len(CHANNELS)), dtype=np.int8)
        self._sent_at = np.full(shoppers, -np.inf)
        self._clicks = np.zeros(shoppers)
        self._orders = np.zeros(shoppers)

    def begin_day(self) -> None:
        """Forget the sends of the day a week ago."""
        self._sent = np.roll(self._sent, 1, axis=0)
        self._sent[0] = 0

    def record_sends(self, hour: int, shoppers: Indices, channels: Indices) -> None:
        self._sent[0, shoppers, channels] = 1
        self._sent_at[shoppers] = hour

    def pass_time(self, hours: int) -> None:
        """Let clicks and orders fade. They count a tenth each, and fade with 28 and 90 days."""
        self._clicks *= math.exp(-hours / (28 * 24.0))
        self._orders *= math.exp(-hours / (90 * 24.0))

    def record_clicks(self, shoppers: Indices) -> None:
        np.add.at(self._clicks, shoppers, 0.1)

    def record_report(self, report: Tick) -> None:
        """Record the triggers that were reported in an hour, and the orders without a message."""
        self._triggers.record_tick(report)
        for events in report.events:
            if events.kind == "purchase":
                self._orders[events.shoppers] += 0.1

    def observe(self, world: World) -> FloatArray:
        """Return the observations, (N, OBSERVED), in the order of `OBSERVATIONS`."""
        hour, count = world.hour, len(self._clicks)
        angle = 2.0 * math.pi * ((world.scenario.first_hour + hour) // 24 % 7) / 7.0
        of_all = [math.sin(angle), math.cos(angle), hour / world.scenario.hours]
        return np.concatenate(
            [
                np.tile(of_all, (count, 1)),
                world.consent,
                self._sent.sum(axis=0) / 7.0,
                np.minimum((hour - self._sent_at) / 168.0, 1.0)[:, None],
                np.minimum(self._clicks, 1.0)[:, None],
                np.minimum(self._orders, 1.0)[:, None],
                self._triggers.at(hour),
                np.full((count, 1), is_promotion(world.scenario, hour)),
                world.has_joined[:, None],
                world.population.mobile[:, None],
            ],
            axis=1,
        )


def count_recent_sends(observation: NDArray[np.float32]) -> int:
    """Return the number of sends of the last seven days in an observation."""
    first = OBSERVATIONS.index(f"sends_{CHANNELS[0]}")
    return round(7.0 * float(observation[first : first + len(CHANNELS)].sum()))


def is_promotion(scenario: Scenario, hour: int) -> bool:
    """Return whether a promotion runs on the day of an hour."""
    return any(0 <= hour // 24 - promo.first_day < promo.days for promo in scenario.promos)
