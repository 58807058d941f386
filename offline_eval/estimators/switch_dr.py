"""Doubly robust estimation that switches to the model where weights are large."""

from __future__ import annotations

import numpy as np

from offline_eval.batch import FloatArray, LoggedBatch
from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator, Limits, Means, robust_range


class SwitchDR(Estimator):
    """Switch-DR: the mean of v̂(x) + w·1[w ≤ τ]·(r - q̂(x, a)).

    Parameters
    ----------
    tau
        Residuals with a greater weight are left out: there the model alone speaks. Infinity gives DR,
        0 the direct method.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, values
    >>> rows = LoggedBatch.of(reward=[1.0], propensity=[0.1], target_propensity=[1.0], q_chosen=[0.8], v_target=[0.5])
    >>> values([SwitchDR(tau=5)], rows)
    {'switch-dr': 0.5}

    References
    ----------
    Wang, Agarwal, Dudík (2017), Optimal and Adaptive Off-policy Evaluation in Contextual Bandits.
    """

    name = "switch-dr"

    def __init__(self, tau: float = 5.0) -> None:
        if not tau >= 0:
            raise NotAvailable(f"tau must be at least 0, not {tau}")
        self.tau = tau

    @property
    def _correction(self) -> str:
        return f"correction, weights at most {self.tau:g}"

    def terms(self, rows: LoggedBatch) -> dict[str, FloatArray]:
        """Give the model's values and the weighted residuals that count."""
        return {"model": rows.v_target, self._correction: rows.correction * (rows.weight <= self.tau)}

    def value(self, means: Means) -> float:
        """Add."""
        return means["model"] + means[self._correction]

    def gradient(self, means: Means) -> dict[str, float]:
        """Give 1 for both."""
        return {"model": 1.0, self._correction: 1.0}

    def score_range(self, limits: Limits) -> tuple[float, float]:
        """Give the range of a score."""
        return robust_range(limits, np.minimum(self.tau, limits.max_weight), self.name)
