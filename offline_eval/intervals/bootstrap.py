"""The bootstrap by cluster."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np

from offline_eval.batch import FloatArray
from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator
from offline_eval.intervals.base import Bounds, Interval, check_alpha
from offline_eval.totals import Sample


class Bootstrap(Interval):
    """Percentiles of the value over resamples of whole shoppers (of rows, where there are none).

    Every resample computes the estimator anew, normaliser included. One stream of resamples serves all
    estimators.

    Parameters
    ----------
    draws
        Number of resamples.
    seed
        Decides the resamples; the same whatever the chunks of the log.

    References
    ----------
    Efron (1979), Bootstrap Methods: Another Look at the Jackknife.
    """

    name = "bootstrap"
    keeps_units = True

    def __init__(self, draws: int = 1_000, seed: int = 0) -> None:
        self.draws = check_draws(draws)
        self.seed = seed

    def bounds(self, estimators: Sequence[Estimator], sample: Sample, alpha: float) -> list[Bounds]:
        """Give the percentiles of the values."""
        check_alpha(alpha)
        means = [dict(zip(sample.names, drawn, strict=True)) for drawn in self._means(sample).tolist()]
        return [percentiles([estimator.value(drawn) for drawn in means], alpha) for estimator in estimators]

    def _means(self, sample: Sample) -> FloatArray:
        """Give the means of the terms in every resample (draws, T)."""
        units = sample.units
        if units is None:
            raise ValueError("units were not kept")
        random = np.random.Generator(np.random.Philox(self.seed))
        count = len(units.sizes)
        means = np.empty((self.draws, len(sample.names)))
        for number in range(self.draws):
            times = np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)
            means[number] = (units.totals @ times) / (units.sizes @ times)
        return means


def check_draws(draws: int) -> int:
    """Refuse fewer resamples than make percentiles.

    Raises
    ------
    NotAvailable
        Below 2.
    """
    if draws < 2:
        raise NotAvailable(f"a bootstrap needs at least 2 draws, not {draws}")
    return draws


def percentiles(values: Sequence[float] | FloatArray, alpha: float) -> Bounds:
    """Give the α/2 and 1 - α/2 percentiles, interpolated linearly.

    Values that are no numbers, of resamples that hold no weight, do not count.
    """
    known = np.asarray(values)[np.isfinite(values)]
    if not len(known):
        return Bounds(nan, nan)
    low, high = np.percentile(known, [100 * alpha / 2, 100 * (1 - alpha / 2)])
    return Bounds(float(low), float(high))
