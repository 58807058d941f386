"""The normal interval of the linearised estimator."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.special import ndtri

from offline_eval.estimators.base import Estimator
from offline_eval.intervals.base import Bounds, Interval, check_alpha
from offline_eval.totals import Sample


class Normal(Interval):
    """value ± z·standard error, with the error from the gradient (delta method), clustered by shopper.

    Asymptotic, also for self-normalised estimators: the effective sample size should be some hundreds, and no few rows
    should carry most of the weight.

    References
    ----------
    Owen (2013), Monte Carlo theory, methods and examples, ch. 9; Liang, Zeger (1986) for the clusters.
    """

    name = "normal"

    def bounds(self, estimators: Sequence[Estimator], sample: Sample, alpha: float) -> list[Bounds]:
        quantile = float(-ndtri(check_alpha(alpha) / 2))
        return [self._bounds(estimator, sample, quantile) for estimator in estimators]

    @staticmethod
    def _bounds(estimator: Estimator, sample: Sample, quantile: float) -> Bounds:
        value = estimator.value(sample.means)
        reach = quantile * sample.error(estimator.gradient(sample.means))
        return Bounds(value - reach, value + reach)
