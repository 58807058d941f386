"""Inverse propensity weighting, plain or clipped."""

from __future__ import annotations

import numpy as np

from offline_eval.batch import LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.estimators.base import CLIP, Limits, MeanOfOne, check_bounded, check_clip


class IPW(MeanOfOne):
    """Inverse propensity weighting: the mean of w·r, w the importance weight.

    Unbiased when every joint action that the target may choose had a positive propensity. The variance grows with the
    weights: read the value beside the effective sample size.

    Parameters
    ----------
    max_weight
        Greater weights are clipped to this value, which biases the value towards zero. Infinity clips nothing.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, estimate_values
    >>> batch = LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.5], target_propensity=[0.8, 0.2])
    >>> estimate_values([IPW()], batch)
    {'ipw': 0.8}

    References
    ----------
    Strehl, Langford, Li, Kakade (2010), Learning from Logged Implicit Exploration Data.
    """

    name = "ipw"
    model_columns = ()
    parameters = (CLIP,)

    def __init__(self, max_weight: float = CLIP.default) -> None:
        self.max_weight = check_clip(max_weight)

    @property
    def has_sequence(self) -> bool:
        return bool(np.isinf(self.max_weight))

    @property
    def term(self) -> str:
        return "gain" if np.isinf(self.max_weight) else f"gain, weights up to {self.max_weight:g}"

    def terms(self, batch: LoggedBatch) -> dict[str, FloatArray]:
        if np.isinf(self.max_weight):
            return {self.term: batch.gain}
        return {self.term: np.minimum(batch.weight, self.max_weight) * batch.reward}

    def score_range(self, limits: Limits) -> tuple[float, float]:
        """Return the range of w·r."""
        most = min(self.max_weight, limits.max_weight)
        return check_bounded(min(0.0, most * limits.reward_low), max(0.0, most * limits.reward_high), self.name)
