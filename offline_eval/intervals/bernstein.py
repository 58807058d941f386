"""The empirical Bernstein interval: holds for every sample size."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt

from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator, Limits
from offline_eval.intervals.base import Bounds, Interval, check_alpha
from offline_eval.totals import Sample


class Bernstein(Interval):
    """value ± √(2V·log(4/α)/U) ± 7·range·log(4/α)/(3(U - 1)) over U independent units.

    Valid for every U, at the price of width. It needs to know beforehand how far a row's score can reach: the
    range of rewards, and the largest weight that was possible (not the largest seen). A shopper's
    total reaches as far as the longest shopper's rows do, so few long shoppers make it wide.

    References
    ----------
    Maurer, Pontil (2009), Empirical Bernstein Bounds and Sample Variance Penalization (theorem 11: independent,
    not necessarily identical variables).
    """

    name = "bernstein"

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def check(self, estimators: Sequence[Estimator]) -> None:
        """Refuse those whose rows have no bounded scores."""
        for estimator in estimators:
            estimator.score_range(self.limits)

    def bounds(self, estimators: Sequence[Estimator], sample: Sample, alpha: float) -> list[Bounds]:
        """Give value ± its reach."""
        level = log(4 / check_alpha(alpha))
        return [self._one(estimator, sample, level) for estimator in estimators]

    def _one(self, estimator: Estimator, sample: Sample, level: float) -> Bounds:
        low, high = estimator.score_range(self.limits)
        self.limits.check(sample.extremes, with_model=estimator.needs_model)
        count = sample.rows if sample.units is None else len(sample.units.sizes)
        if count < 2:
            raise NotAvailable("an empirical Bernstein interval needs at least two independent units")
        value = estimator.value(sample.means)
        # The variance of the mean is V/U: of unit totals whose mean is the value, over U units.
        spread = sqrt(2 * _variance_of_mean(estimator, sample) * level)
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
    """Give the width of the range of a unit's total, scaled so that the mean of all units is the value."""
    if sample.units is None:
        return high - low
    sizes = sample.units.sizes
    most, least = float(sizes.max()), float(sizes.min())
    top = high * (most if high > 0 else least)
    bottom = low * (most if low < 0 else least)
    return (top - bottom) * len(sizes) / sample.rows
