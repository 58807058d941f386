"""The value of each shopper of a world: expected margin minus the worth of lost consents, at the end of each week."""

from __future__ import annotations

import numpy as np

from simulators.arrays import FloatArray
from simulators.experiments.contender import ReportHours
from simulators.shops.later_costs import ConsentWorth
from simulators.world.tick import Tick
from simulators.world.world import World


def values_of(world: World, worth: ConsentWorth) -> FloatArray:
    """Return the expected margin of each shopper minus the worth of her lost consents so far, (N,)."""
    worths = np.array([worth.get(name, 0.0) for name in world.messages.channels.names])
    return np.asarray(world.margins.expected - world.consent_losses.expected @ worths)


def reach_of(world: World) -> float:
    """Return the share of the consents that shoppers gave and that are still given."""
    return float(world.consent.sum() / max(1, world.population.consent.sum()))


class WeeklyValues:
    """The values of a world's shoppers at the end of each week."""

    def __init__(self, world: World, worth: ConsentWorth, report_hours: ReportHours) -> None:
        self._world = world
        self._worth = worth
        self._report_hours = report_hours
        self._values = [values_of(world, worth)]

    def pass_hours(self, hours: int) -> None:
        """Note the values if a week has ended."""
        if self._world.hour % 168 == 0:
            self._values.append(values_of(self._world, self._worth))
        self._report_hours(hours)

    def pass_tick(self, tick: Tick) -> None:
        self.pass_hours(1)

    def by_shopper(self) -> FloatArray:
        """Return the value of each shopper in each week, (weeks, N)."""
        return np.asarray(np.diff(np.stack(self._values), axis=0))
