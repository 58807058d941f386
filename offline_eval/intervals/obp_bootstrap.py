"""The bootstrap of the Open Bandit Pipeline, with the same numbers to the last digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from offline_eval.columns import FloatArray
from offline_eval.estimators.base import Estimator, Limits
from offline_eval.intervals.base import Bounds, Interval, check_alpha
from offline_eval.intervals.bootstrap import DRAWS, check_draws, percentiles
from offline_eval.totals import Keep, Sample


class ObpBootstrap(Interval):
    """The intervals of the Open Bandit Pipeline 0.5.7, for comparison with published numbers.

    The pipeline resamples single rows, also where shoppers have several, and holds the normaliser of self-normalised
    estimators at the value of the full sample. The intervals of these estimators are therefore wrong (three times too
    wide on the pipeline's synthetic data). Use `Normal` or `Bootstrap` for conclusions.

    Parameters
    ----------
    draws, seed
        The pipeline's ``n_bootstrap_samples`` and ``random_state``.

    References
    ----------
    Saito, Aihara, Matsutani, Narita (2021), Open Bandit Dataset and Pipeline.
    """

    name = "bootstrap-obp"
    keeps_units = True

    def __init__(self, draws: int = DRAWS, seed: int = 12345) -> None:
        self.draws = check_draws(draws)
        self.seed = seed

    @classmethod
    def make(cls, limits: Limits, draws: int, seed: int | None) -> Self:
        return cls(draws) if seed is None else cls(draws, seed)

    def keep(self, *, clustered: bool) -> Keep:
        """Return that single rows are kept, also where they are clustered."""
        return "rows"

    def bounds(self, estimators: Sequence[Estimator], sample: Sample, alpha: float) -> list[Bounds]:
        """Return the percentiles of the mean scores."""
        check_alpha(alpha)
        factors = np.stack([sample.direction(estimator.score_weights(sample.means)) for estimator in estimators])
        used = np.flatnonzero((factors != 0).any(axis=0))
        means = self._means(sample, used) @ factors[:, used].T
        return [percentiles(scores, alpha) for scores in means.T]

    def _means(self, sample: Sample, used: NDArray[np.intp]) -> FloatArray:
        """Return the means of the used terms in every resample (draws, T).

        In the pipeline every estimator draws the same indices from the same seed; here they are drawn once for all.
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
