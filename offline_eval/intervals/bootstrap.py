"""The bootstrap by cluster."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Self

import numpy as np

from offline_eval.columns import FloatArray
from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator, Limits
from offline_eval.intervals.base import Bounds, Interval, check_alpha
from offline_eval.totals import Sample

DRAWS = 1_000
"""Resamples, where a caller asks for no other number."""


class Bootstrap(Interval):
    """Percentiles of the value over resamples of whole shoppers (of rows, where the log names no shoppers).

    The estimator, with its normaliser, is computed again for every resample. All estimators use the same resamples.

    Parameters
    ----------
    draws
        Number of resamples.
    seed
        Decides the resamples, which do not depend on how the log is cut into batches.

    References
    ----------
    Efron (1979), Bootstrap Methods: Another Look at the Jackknife.
    """

    name = "bootstrap"
    keeps_units = True

    def __init__(self, draws: int = DRAWS, seed: int = 0) -> None:
        self.draws = check_draws(draws)
        self.seed = seed

    @classmethod
    def make(cls, limits: Limits, draws: int, seed: int | None) -> Self:
        return cls(draws, seed or 0)

    def bounds(self, estimators: Sequence[Estimator], sample: Sample, alpha: float) -> list[Bounds]:
        check_alpha(alpha)
        resamples = [dict(zip(sample.names, means, strict=True)) for means in self._means(sample).tolist()]
        return [percentiles([estimator.value(means) for means in resamples], alpha) for estimator in estimators]

    def _means(self, sample: Sample) -> FloatArray:
        """Return the means of the terms in every resample (draws, T)."""
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
    """Return the number of resamples.

    Raises
    ------
    NotAvailable
        When it is below 2: one resample has no percentiles.
    """
    if draws < 2:
        raise NotAvailable(f"a bootstrap needs at least 2 draws, not {draws}")
    return draws


def percentiles(values: Sequence[float] | FloatArray, alpha: float) -> Bounds:
    """Return the α/2 and 1 - α/2 percentiles, interpolated linearly.

    A resample without any weight has the value NaN, and does not count.
    """
    finite = np.asarray(values)[np.isfinite(values)]
    if not len(finite):
        return Bounds(nan, nan)
    low, high = np.percentile(finite, [100 * alpha / 2, 100 * (1 - alpha / 2)])
    return Bounds(float(low), float(high))
