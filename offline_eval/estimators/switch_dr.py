"""Doubly robust estimation that switches to the model where weights are large."""

from __future__ import annotations

from offline_eval.batch import LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import ModelPlusCorrection, Parameter

TAU = Parameter("tau", 5.0, "Residuals count up to this weight")


class SwitchDR(ModelPlusCorrection):
    """Switch-DR: the mean of v̂(x) + w·1[w ≤ τ]·(r - q̂(x, a)).

    r is the reward, q̂(x, a) the reward model's prediction for the logged action, v̂(x) the mean prediction under the
    target policy, and w the importance weight.

    Parameters
    ----------
    tau
        Residuals with a greater weight are left out: these rows count with the model's value alone. τ = 0 gives the
        direct method, τ = ∞ gives DR.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, estimate_values
    >>> batch = LoggedBatch.of(reward=[1.0], propensity=[0.1], target_propensity=[1.0], q_chosen=[0.8], v_target=[0.5])
    >>> estimate_values([SwitchDR(tau=5)], batch)
    {'switch-dr': 0.5}

    References
    ----------
    Wang, Agarwal, Dudík (2017), Optimal and Adaptive Off-policy Evaluation in Contextual Bandits.
    """

    name = "switch-dr"
    parameters = (TAU,)

    def __init__(self, tau: float = TAU.default) -> None:
        if not tau >= 0:  # not "< 0": NaN must be refused too
            raise NotAvailable(f"tau must be at least 0, not {tau}")
        self.tau = tau

    def trusts_model(self, largest_weight: float) -> bool:
        return largest_weight > self.tau

    @property
    def correction_name(self) -> str:
        return f"correction, weights at most {self.tau:g}"

    def residuals(self, batch: LoggedBatch) -> FloatArray:
        """Return the weighted residuals that count; 0 for the others."""
        return batch.correction * (batch.weight <= self.tau)

    @property
    def largest_residual_weight(self) -> float:
        return self.tau
