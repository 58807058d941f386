"""The result of one shop in a replay: its decisions, and the value of each shopper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.arrays import FloatArray
from simulators.experiments.comparison import ShopRun
from simulators.experiments.mean_estimate import MeanEstimate, estimate_paired_mean, estimate_paired_ratio
from simulators.experiments.weekly_values import values_of
from simulators.shops.later_costs import ConsentWorth
from simulators.world.world import World


@dataclass(frozen=True)
class ReplayResult:
    """The result of one shop.

    Attributes
    ----------
    values
        Value of each shopper over the replay, (N,): the expected incremental margin, minus the worth of the live
        consents that are lost in expectation; minus the same without any send.
    """

    run: ShopRun
    values: FloatArray

    @classmethod
    def of(cls, run: ShopRun, world: World, twin: World, worth: ConsentWorth) -> ReplayResult:
        """Value the run in a world against the twin of this world, which ended without any send."""
        return cls(run, np.asarray(values_of(world, worth) - values_of(twin, worth)))

    @property
    def value(self) -> float:
        """Value per shopper."""
        return float(self.values.mean())

    def minus(self, other: ReplayResult) -> MeanEstimate:
        """Estimate how much more value per shopper this shop has than another one with the same shoppers."""
        return estimate_paired_mean([self.values - other.values])

    def share_of(self, other: ReplayResult) -> MeanEstimate | None:
        """Estimate the value ÷ the value of another shop; None where that one may be 0 or negative."""
        return estimate_paired_ratio([self.values], [other.values])
