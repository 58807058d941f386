"""Self-normalised inverse propensity weighting."""

from __future__ import annotations

from offline_eval.batch import LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.estimators.base import Estimator, Means, ratio


class SNIPW(Estimator):
    """Self-normalised inverse propensity weighting: Σ w·r ÷ Σ w.

    A constant added to every reward is added to the value, and the value stays within the range of the rewards. The
    bias is of order 1/n. The denominator is random too, and the gradient counts its part of the variance; a bootstrap
    that holds the denominator fixed does not.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, estimate_values
    >>> batch = LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.5], target_propensity=[0.2, 0.2])
    >>> estimate_values([SNIPW()], batch)
    {'snipw': 0.5}

    References
    ----------
    Swaminathan, Joachims (2015), The Self-Normalized Estimator for Counterfactual Learning.
    """

    name = "snipw"
    model_columns = ()

    def terms(self, batch: LoggedBatch) -> dict[str, FloatArray]:
        return {"gain": batch.gain, "weight": batch.weight}

    def value(self, means: Means) -> float:
        """Return the quotient; NaN where all weights are 0."""
        return ratio(means["gain"], means["weight"])

    def gradient(self, means: Means) -> dict[str, float]:
        weight = means["weight"]
        return {"gain": ratio(1.0, weight), "weight": -ratio(self.value(means), weight)}

    def score_weights(self, means: Means) -> dict[str, float]:
        return {"gain": ratio(1.0, means["weight"])}
