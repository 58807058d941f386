"""Doubly robust estimation with optimistic shrinkage of the weights."""

from __future__ import annotations

import numpy as np

from offline_eval.batch import FloatArray, LoggedBatch
from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator, Limits, Means, robust_range


class DROS(Estimator):
    """DRos: the mean of v̂(x) + λw/(w² + λ)·(r - q̂(x, a)).

    Parameters
    ----------
    shrinkage
        λ: 0 gives the direct method, infinity DR. A shrunk weight is never above √λ/2.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, values
    >>> rows = LoggedBatch.of(reward=[1.0], propensity=[0.5], target_propensity=[0.5], q_chosen=[0.8], v_target=[0.5])
    >>> round(values([DROS(shrinkage=1)], rows)["dr-os"], 9)
    0.6

    References
    ----------
    Su, Dimakopoulou, Krishnamurthy, Dudík (2020), Doubly Robust Off-policy Evaluation with Shrinkage.
    """

    name = "dr-os"

    def __init__(self, shrinkage: float = 5.0) -> None:
        if not shrinkage >= 0:
            raise NotAvailable(f"lambda must be at least 0, not {shrinkage}")
        self.shrinkage = shrinkage

    @property
    def _correction(self) -> str:
        return f"correction, shrunk by {self.shrinkage:g}"

    def terms(self, rows: LoggedBatch) -> dict[str, FloatArray]:
        """Give the model's values and the residuals by their shrunk weights."""
        if np.isinf(self.shrinkage):
            return {"model": rows.v_target, self._correction: rows.correction}
        if self.shrinkage == 0:
            return {"model": rows.v_target, self._correction: np.zeros(len(rows))}
        return {
            "model": rows.v_target,
            self._correction: rows.correction * (self.shrinkage / (rows.weight * rows.weight + self.shrinkage)),
        }

    def value(self, means: Means) -> float:
        """Add."""
        return means["model"] + means[self._correction]

    def gradient(self, means: Means) -> dict[str, float]:
        """Give 1 for both."""
        return {"model": 1.0, self._correction: 1.0}

    def score_range(self, limits: Limits) -> tuple[float, float]:
        """Give the range of a score."""
        return robust_range(limits, min(np.sqrt(self.shrinkage) / 2, limits.max_weight), self.name)
