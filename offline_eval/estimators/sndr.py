"""Self-normalised doubly robust estimation."""

from __future__ import annotations

from offline_eval.batch import FloatArray, LoggedBatch
from offline_eval.estimators.base import Estimator, Means, ratio


class SNDR(Estimator):
    """Self-normalised doubly robust: mean v̂(x) + Σ w·(r - q̂) ÷ Σ w.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, values
    >>> rows = LoggedBatch.of(reward=[1.0], propensity=[0.5], target_propensity=[0.1], q_chosen=[0.8], v_target=[0.5])
    >>> round(values([SNDR()], rows)["sndr"], 9)
    0.7

    References
    ----------
    Thomas, Brunskill (2016), Data-Efficient Off-Policy Policy Evaluation for Reinforcement Learning.
    """

    name = "sndr"

    def terms(self, rows: LoggedBatch) -> dict[str, FloatArray]:
        """Give the model's values, weighted residuals and weights."""
        return {"model": rows.v_target, "correction": rows.correction, "weight": rows.weight}

    def value(self, means: Means) -> float:
        """Add the model's value and the normalised correction; not a number where all weights are 0."""
        return means["model"] + ratio(means["correction"], means["weight"])

    def gradient(self, means: Means) -> dict[str, float]:
        """Differentiate a sum with a ratio in it."""
        weight = means["weight"]
        correction = ratio(means["correction"], weight)
        return {"model": 1.0, "correction": ratio(1.0, weight), "weight": -ratio(correction, weight)}

    def score_weights(self, means: Means) -> dict[str, float]:
        """Hold the denominator."""
        return {"model": 1.0, "correction": ratio(1.0, means["weight"])}
