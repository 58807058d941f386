"""The empirical Bernstein interval, valid for every sample size."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Self

from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator, Limits
from offline_eval.intervals.base import Bounds, Interval, check_alpha
from offline_eval.rounding import root
from offline_eval.totals import Sample


class Bernstein(Interval):
    """value ± √(2V·log(4/α)/U) ± 7·range·log(4/α)/(3(U - 1)) over U independent units.

    Valid for every U, and therefore wide. The interval needs the range of a row's score before the data are seen: the
    range of rewards, and the largest weight that was possible (not the largest weight in the log). The range of a
    shopper's total grows with the rows of the longest shopper, so few long shoppers make the interval wide.

    References
    ----------
    Maurer, Pontil (2009), Empirical Bernstein Bounds and Sample Variance Penalization (theorem 11: independent,
    not necessarily identical variables).
    """

    name = "bernstein"

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    @classmethod
    def make(cls, limits: Limits, draws: int, seed: int | None) -> Self:
        return cls(limits)

    def check(self, estimators: Sequence[Estimator]) -> None:
        """Refuse estimators that have no bounded scores."""
        for estimator in estimators:
            estimator.score_range(self.limits)

    def bounds(self, estimators: Sequence[Estimator], sample: Sample, alpha: float) -> list[Bounds]:
        level = log(4 / check_alpha(alpha))
        return [self._bounds(estimator, sample, level) for estimator in estimators]

    def _bounds(self, estimator: Estimator, sample: Sample, level: float) -> Bounds:
        low, high = estimator.score_range(self.limits)
        self.limits.check(sample.extremes, with_model=estimator.needs_model)
        count = sample.independent_units
        if count < 2:
            raise NotAvailable("an empirical Bernstein interval needs at least two independent units")
        value = estimator.value(sample.means)
        # The variance of the mean is V/U, with V the variance of unit totals whose mean is the value.
        spread = root(2 * _variance_of_mean(estimator, sample) * level)
        reach = spread + 7 * _unit_range(low, high, sample) * level / (3 * (count - 1))
        return Bounds(value - reach, value + reach)


def _variance_of_mean(estimator: Estimator, sample: Sample) -> float:
    slopes = estimator.gradient(sample.means)
    if sample.units is None:
        return sample.variance(slopes)
    totals = sample.direction(slopes) @ sample.units.totals
    count = len(totals)
    return float(((totals - totals.mean()) ** 2).sum()) * count / (count - 1) / sample.rows**2


def _unit_range(low: float, high: float, sample: Sample) -> float:
    """Return the width of the range of a unit's total, scaled so that the mean over all units is the value."""
    if sample.units is None:
        return high - low
    sizes = sample.units.sizes
    most, least = float(sizes.max()), float(sizes.min())
    top = high * (most if high > 0 else least)
    bottom = low * (most if low < 0 else least)
    return (top - bottom) * len(sizes) / sample.rows
