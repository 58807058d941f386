"""Self-normalised doubly robust estimation."""

from __future__ import annotations

from offline_eval.batch import LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.estimators.base import Estimator, Means, ratio


class SNDR(Estimator):
    """Self-normalised doubly robust: mean v̂(x) + Σ w·(r - q̂(x, a)) ÷ Σ w.

    r is the reward, q̂(x, a) the reward model's prediction for the logged action, v̂(x) the mean prediction under the
    target policy, and w the importance weight.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, estimate_values
    >>> batch = LoggedBatch.of(reward=[1.0], propensity=[0.5], target_propensity=[0.1], q_chosen=[0.8], v_target=[0.5])
    >>> round(estimate_values([SNDR()], batch)["sndr"], 9)
    0.7

    References
    ----------
    Thomas, Brunskill (2016), Data-Efficient Off-Policy Policy Evaluation for Reinforcement Learning.
    """

    name = "sndr"

    def terms(self, batch: LoggedBatch) -> dict[str, FloatArray]:
        return {"model": batch.v_target, "correction": batch.correction, "weight": batch.weight}

    def value(self, means: Means) -> float:
        """Return the model's value plus the normalised correction; NaN where all weights are 0."""
        return means["model"] + ratio(means["correction"], means["weight"])

    def gradient(self, means: Means) -> dict[str, float]:
        weight = means["weight"]
        correction = ratio(means["correction"], weight)
        return {"model": 1.0, "correction": ratio(1.0, weight), "weight": -ratio(correction, weight)}

    def score_weights(self, means: Means) -> dict[str, float]:
        return {"model": 1.0, "correction": ratio(1.0, means["weight"])}
