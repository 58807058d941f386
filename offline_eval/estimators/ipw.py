"""Inverse propensity weighting, plain or clipped."""

from __future__ import annotations

import numpy as np

from offline_eval.batch import FloatArray, LoggedBatch
from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Limits, MeanOfOne, bounded


class IPW(MeanOfOne):
    """Inverse propensity weighting: the mean of w·r, w the importance weight.

    Unbiased when every joint action that the target may choose had positive propensity. Its variance grows
    with the weights: read it beside the effective sample size.

    Parameters
    ----------
    max_weight
        Greater weights are clipped to it (infinity: never), which biases towards zero.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, values
    >>> rows = LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.5], target_propensity=[0.8, 0.2])
    >>> values([IPW()], rows)
    {'ipw': 0.8}

    References
    ----------
    Strehl, Langford, Li, Kakade (2010), Learning from Logged Implicit Exploration Data.
    """

    name = "ipw"
    needs_model = False

    def __init__(self, max_weight: float = np.inf) -> None:
        if not max_weight > 0:
            raise NotAvailable(f"weights can be clipped to a positive number only, not {max_weight}")
        self.max_weight = max_weight

    @property
    def term(self) -> str:
        """The weighted reward, clipped or not."""
        return "gain" if np.isinf(self.max_weight) else f"gain, weights up to {self.max_weight:g}"

    def terms(self, rows: LoggedBatch) -> dict[str, FloatArray]:
        """Give the weighted rewards."""
        if np.isinf(self.max_weight):
            return {self.term: rows.gain}
        return {self.term: np.minimum(rows.weight, self.max_weight) * rows.reward}

    def score_range(self, limits: Limits) -> tuple[float, float]:
        """Give the range of w·r."""
        most = min(self.max_weight, limits.max_weight)
        return bounded(min(0.0, most * limits.reward_low), max(0.0, most * limits.reward_high), self.name)
