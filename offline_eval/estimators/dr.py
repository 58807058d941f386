"""Doubly robust estimation, plain or clipped."""

from __future__ import annotations

import numpy as np

from offline_eval.batch import FloatArray, LoggedBatch
from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator, Limits, Means, robust_range


class DR(Estimator):
    """Doubly robust: the mean of v̂(x) + w·(r - q̂(x, a)).

    Unbiased whatever the reward model predicts, as long as it was not fitted on the same rows; a good
    model takes most of the variance away.

    Parameters
    ----------
    max_weight
        Greater weights are clipped to it (infinity: never), which lets some of the model's bias in.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, values
    >>> rows = LoggedBatch.of(reward=[1.0], propensity=[0.5], target_propensity=[0.25], q_chosen=[0.8], v_target=[0.5])
    >>> round(values([DR()], rows)["dr"], 9)
    0.6

    References
    ----------
    Dudík, Langford, Li (2011), Doubly Robust Policy Evaluation and Learning.
    """

    name = "dr"

    def __init__(self, max_weight: float = np.inf) -> None:
        if not max_weight > 0:
            raise NotAvailable(f"weights can be clipped to a positive number only, not {max_weight}")
        self.max_weight = max_weight

    @property
    def _correction(self) -> str:
        return "correction" if np.isinf(self.max_weight) else f"correction, weights up to {self.max_weight:g}"

    def terms(self, rows: LoggedBatch) -> dict[str, FloatArray]:
        """Give the model's values and the weighted residuals."""
        if np.isinf(self.max_weight):
            return {"model": rows.v_target, "correction": rows.correction}
        clipped = np.minimum(rows.weight, self.max_weight)
        return {"model": rows.v_target, self._correction: clipped * rows.residual}

    def value(self, means: Means) -> float:
        """Add."""
        return means["model"] + means[self._correction]

    def gradient(self, means: Means) -> dict[str, float]:
        """Give 1 for both."""
        return {"model": 1.0, self._correction: 1.0}

    def score_range(self, limits: Limits) -> tuple[float, float]:
        """Give the range of a score."""
        return robust_range(limits, min(self.max_weight, limits.max_weight), self.name)
