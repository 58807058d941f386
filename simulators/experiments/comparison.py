"""Comparison: what several shops made of the same arrivals, by week, with paired intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.catalogue.document import Catalogue
from simulators.experiments.decision_log import DecisionOutcomes

WEEK_S = 7 * 86_400.0
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A value with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Week:
    """A week of one shop: counts, and expected reward per decision."""

    week: int
    decisions: int
    sends: int
    clicks: int
    opt_outs: int
    reward_per_decision: float


@dataclass(frozen=True)
class Run:
    """What one shop made of all arrivals, as columns (n,).

    ``rewards`` are realised; ``expected`` are the same from the true probabilities (see `DecisionOutcomes`).
    """

    name: str
    at: NDArray[np.float64]
    shoppers: NDArray[np.str_]
    sends: NDArray[np.bool_]
    clicks: NDArray[np.bool_]
    opt_outs: NDArray[np.bool_]
    rewards: NDArray[np.float64]
    expected: NDArray[np.float64]

    @classmethod
    def of(cls, name: str, records: Sequence[DecisionOutcomes], catalogue: Catalogue) -> Run:
        """Put records into columns."""
        return cls(
            name=name,
            at=np.array([record.at for record in records]),
            shoppers=np.array([record.shopper for record in records]),
            sends=np.array([record.reached for record in records]),
            clicks=np.array([record.had("click") for record in records]),
            opt_outs=np.array([record.had("opt_out") for record in records]),
            rewards=np.array([record.reward(catalogue) for record in records]),
            expected=np.array([record.expected for record in records]),
        )

    def weeks(self) -> list[Week]:
        """Sum up by week since the first arrival."""
        numbers = ((self.at - self.at[0]) // WEEK_S).astype(int)
        return [self._week(int(number), numbers == number) for number in np.unique(numbers)]

    def _week(self, number: int, own: NDArray[np.bool_]) -> Week:
        return Week(
            number + 1,
            int(own.sum()),
            int(self.sends[own].sum()),
            int(self.clicks[own].sum()),
            int(self.opt_outs[own].sum()),
            float(self.expected[own].mean()),
        )

    def last_quarter(self) -> slice:
        """Give the last quarter of the decisions."""
        return slice(len(self.rewards) * 3 // 4, None)


def difference(run: Run, other: Run, part: slice) -> Estimate:
    """Estimate how much more reward per decision a run makes than another on the same arrivals.

    From expected rewards. Paired by decision, clustered by shopper, since a shopper's decisions depend on
    each other; normal 95 % interval.
    """
    paired = run.expected[part] - other.expected[part]
    return clustered_mean(paired, run.shoppers[part])


def realised_difference(run: Run, other: Run, part: slice) -> Estimate:
    """Estimate the same from what was realised: rare, expensive orders make the interval much wider."""
    return clustered_mean(run.rewards[part] - other.rewards[part], run.shoppers[part])


def clustered_mean(values: NDArray[np.float64], clusters: NDArray[np.str_]) -> Estimate:
    """Estimate a mean with a normal 95 % interval whose variance is clustered.

    >>> clustered_mean(np.array([1.0, 1.0, 3.0, 3.0]), np.array(["a", "b", "c", "d"])).value
    2.0
    """
    mean = float(values.mean())
    _, cluster = np.unique(clusters, return_inverse=True)
    sums = np.bincount(cluster, weights=values - mean)
    error = float(np.sqrt(np.sum(sums**2))) / len(values)
    return Estimate(mean, mean - _NORMAL_95 * error, mean + _NORMAL_95 * error)
