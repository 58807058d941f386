"""Compare the results of several shops on the same arrivals: by week, and as paired differences with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from policies.catalogue.document import Catalogue
from simulators.arrays import BoolArray, FloatArray
from simulators.experiments.decision_log import DecisionOutcomes
from simulators.experiments.mean_estimate import MeanEstimate, t_quantile

WEEK_S = 7 * 86_400.0


@dataclass(frozen=True)
class WeekSummary:
    """One week of one shop: counts, and the expected reward per decision."""

    week: int
    decisions: int
    sends: int
    clicks: int
    opt_outs: int
    reward_per_decision: float


@dataclass(frozen=True)
class ShopRun:
    """The decisions of one shop and their results, as columns (n,).

    ``rewards`` are realised rewards. ``expected`` are the same rewards from the true probabilities: see
    `DecisionOutcomes`.
    """

    name: str
    at: FloatArray
    shoppers: NDArray[np.str_]
    sends: BoolArray
    clicks: BoolArray
    opt_outs: BoolArray
    rewards: FloatArray
    expected: FloatArray

    @classmethod
    def of(cls, name: str, records: Sequence[DecisionOutcomes], catalogue: Catalogue) -> ShopRun:
        return cls(
            name=name,
            at=np.array([record.at for record in records]),
            shoppers=np.array([record.shopper for record in records]),
            sends=np.array([record.delivered for record in records]),
            clicks=np.array([record.has_outcome("click") for record in records]),
            opt_outs=np.array([record.has_outcome("opt_out") for record in records]),
            rewards=np.array([record.reward(catalogue) for record in records]),
            expected=np.array([record.expected for record in records]),
        )

    def weeks(self) -> list[WeekSummary]:
        """Return a summary of each week since the first arrival."""
        numbers = ((self.at - self.at[0]) // WEEK_S).astype(int)
        return [self._summarise_week(int(number), numbers == number) for number in np.unique(numbers)]

    def _summarise_week(self, number: int, chosen: BoolArray) -> WeekSummary:
        return WeekSummary(
            number + 1,
            int(chosen.sum()),
            int(self.sends[chosen].sum()),
            int(self.clicks[chosen].sum()),
            int(self.opt_outs[chosen].sum()),
            float(self.expected[chosen].mean()),
        )

    def last_quarter(self) -> slice:
        """Return the positions of the last quarter of the decisions."""
        return slice(len(self.rewards) * 3 // 4, None)


def estimate_difference(run: ShopRun, other: ShopRun, part: slice) -> MeanEstimate:
    """Estimate how much more reward per decision a run makes than another run on the same arrivals.

    Uses expected rewards. The differences are paired by decision, and the variance is clustered by shopper, because
    the decisions for one shopper depend on each other.
    """
    differences = run.expected[part] - other.expected[part]
    return estimate_clustered_mean(differences, run.shoppers[part])


def estimate_realised_difference(run: ShopRun, other: ShopRun, part: slice) -> MeanEstimate:
    """Estimate the same from realised rewards: rare, expensive orders make the interval much wider."""
    return estimate_clustered_mean(run.rewards[part] - other.rewards[part], run.shoppers[part])


def estimate_clustered_mean(values: FloatArray, clusters: NDArray[np.str_]) -> MeanEstimate:
    """Estimate a mean with a 95 % interval from a clustered variance, by Student's t with a degree less than clusters.

    With one cluster nothing tells the bounds: they are infinite.

    >>> estimate_clustered_mean(np.array([1.0, 1.0, 3.0, 3.0]), np.array(["a", "b", "c", "d"])).value
    2.0
    """
    mean = float(values.mean())
    _, cluster = np.unique(clusters, return_inverse=True)
    sums = np.bincount(cluster, weights=values - mean)
    count = len(sums)
    if count < 2:
        return MeanEstimate(mean, -inf, inf)
    standard_error = sqrt(float(sums @ sums) * count / (count - 1)) / len(values)
    half_width = t_quantile(count - 1) * standard_error
    return MeanEstimate(mean, mean - half_width, mean + half_width)
