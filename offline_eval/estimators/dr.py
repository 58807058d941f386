"""Doubly robust estimation, plain or clipped."""

from __future__ import annotations

import numpy as np

from offline_eval.batch import LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.estimators.base import CLIP, ModelPlusCorrection, check_clip


class DR(ModelPlusCorrection):
    """Doubly robust: the mean of v̂(x) + w·(r - q̂(x, a)).

    r is the reward, q̂(x, a) the reward model's prediction for the logged action, v̂(x) the mean prediction under the
    target policy, and w the importance weight.

    Unbiased for any predictions of the reward model, as long as the model was not fitted on the same rows. A good
    model removes most of the variance.

    Parameters
    ----------
    max_weight
        Greater weights are clipped to this value, which lets some of the model's bias in. Infinity clips nothing.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, estimate_values
    >>> batch = LoggedBatch.of(reward=[1.0], propensity=[0.5], target_propensity=[0.25], q_chosen=[0.8], v_target=[0.5])
    >>> round(estimate_values([DR()], batch)["dr"], 9)
    0.6

    References
    ----------
    Dudík, Langford, Li (2011), Doubly Robust Policy Evaluation and Learning.
    """

    name = "dr"
    parameters = (CLIP,)

    def __init__(self, max_weight: float = CLIP.default) -> None:
        self.max_weight = check_clip(max_weight)

    def trusts_model(self, largest_weight: float) -> bool:
        return largest_weight > self.max_weight

    @property
    def has_sequence(self) -> bool:
        return bool(np.isinf(self.max_weight))

    @property
    def correction_name(self) -> str:
        return "correction" if np.isinf(self.max_weight) else f"correction, weights up to {self.max_weight:g}"

    def residuals(self, batch: LoggedBatch) -> FloatArray:
        if np.isinf(self.max_weight):
            return batch.correction
        return np.minimum(batch.weight, self.max_weight) * batch.residual

    @property
    def largest_residual_weight(self) -> float:
        return self.max_weight
