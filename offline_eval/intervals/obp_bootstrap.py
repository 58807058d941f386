"""The bootstrap of the Open Bandit Pipeline, number by number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from offline_eval.batch import FloatArray
from offline_eval.estimators.base import Estimator
from offline_eval.intervals.base import Bounds, Interval, check_alpha
from offline_eval.intervals.bootstrap import check_draws, percentiles
from offline_eval.totals import Keep, Sample


class ObpBootstrap(Interval):
    """The intervals that the Open Bandit Pipeline 0.5.7 gives, for comparison with published numbers.

    It resamples single rows, and holds the normaliser of self-normalised estimators at the full sample's: their
    intervals are then wrong (three times too wide on its own synthetic data). It does not know clusters. Use
    `Normal` or `Bootstrap` for conclusions.

    Parameters
    ----------
    draws, seed
        Its ``n_bootstrap_samples`` and ``random_state``.

    References
    ----------
    Saito, Aihara, Matsutani, Narita (2021), Open Bandit Dataset and Pipeline.
    """

    name = "bootstrap-obp"
    keeps_units = True

    def __init__(self, draws: int = 1_000, seed: int = 12345) -> None:
        self.draws = check_draws(draws)
        self.seed = seed

    def keep(self, *, clustered: bool) -> Keep:
        """Keep single rows, whoever they belong to."""
        return "rows"

    def bounds(self, estimators: Sequence[Estimator], sample: Sample, alpha: float) -> list[Bounds]:
        """Give the percentiles of the mean scores."""
        check_alpha(alpha)
        factors = np.stack([sample.direction(estimator.score_weights(sample.means)) for estimator in estimators])
        used = np.flatnonzero((factors != 0).any(axis=0))
        means = self._means(sample, used) @ factors[:, used].T
        return [percentiles(own, alpha) for own in means.T]

    def _means(self, sample: Sample, used: NDArray[np.intp]) -> FloatArray:
        """Give the means of the terms in use in every resample (draws, T).

        Its stream of indices, which every estimator there draws anew, serves all terms at once.
        """
        if sample.units is None:
            raise ValueError("units were not kept")
        totals = np.ascontiguousarray(sample.units.totals[used])
        count = totals.shape[1]
        random = np.random.RandomState(self.seed)
        means = np.empty((self.draws, len(totals)))
        for number in range(self.draws):
            times = np.bincount(random.randint(0, count, count), minlength=count).astype(np.float64)
            means[number] = totals @ times / count
        return means
