"""Doubly robust estimation with optimistic shrinkage of the weights."""

from __future__ import annotations

import numpy as np

from offline_eval.batch import LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import ModelPlusCorrection, Parameter

SHRINKAGE = Parameter("shrinkage", 5.0, "Shrinkage of the weights", option="lambda")


class DROS(ModelPlusCorrection):
    """DRos: the mean of v̂(x) + λw/(w² + λ)·(r - q̂(x, a)).

    r is the reward, q̂(x, a) the reward model's prediction for the logged action, v̂(x) the mean prediction under the
    target policy, and w the importance weight.

    Parameters
    ----------
    shrinkage
        λ. λ = 0 gives the direct method, λ = ∞ gives DR. A shrunk weight λw/(w² + λ) is never above √λ/2.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, estimate_values
    >>> batch = LoggedBatch.of(reward=[1.0], propensity=[0.5], target_propensity=[0.5], q_chosen=[0.8], v_target=[0.5])
    >>> round(estimate_values([DROS(shrinkage=1)], batch)["dr-os"], 9)
    0.6

    References
    ----------
    Su, Dimakopoulou, Krishnamurthy, Dudík (2020), Doubly Robust Off-policy Evaluation with Shrinkage.
    """

    name = "dr-os"
    parameters = (SHRINKAGE,)

    def __init__(self, shrinkage: float = SHRINKAGE.default) -> None:
        if not shrinkage >= 0:  # not "< 0": NaN must be refused too
            raise NotAvailable(f"lambda must be at least 0, not {shrinkage}")
        self.shrinkage = shrinkage

    def trusts_model(self, largest_weight: float) -> bool:
        return not np.isinf(self.shrinkage)

    @property
    def correction_name(self) -> str:
        return f"correction, shrunk by {self.shrinkage:g}"

    def residuals(self, batch: LoggedBatch) -> FloatArray:
        """Return the residual of each row times its shrunk weight."""
        if np.isinf(self.shrinkage):
            return batch.correction
        if self.shrinkage == 0:
            return np.zeros(len(batch))
        return batch.correction * (self.shrinkage / (batch.weight * batch.weight + self.shrinkage))

    @property
    def largest_residual_weight(self) -> float:
        return float(np.sqrt(self.shrinkage) / 2)
