"""Self-normalised inverse propensity weighting."""

from __future__ import annotations

from offline_eval.batch import FloatArray, LoggedBatch
from offline_eval.estimators.base import Estimator, Means, ratio


class SNIPW(Estimator):
    """Self-normalised inverse propensity weighting: Σ w·r ÷ Σ w.

    Adding a constant to every reward adds it to the value, and the value stays within the range of the
    rewards. Biased of order 1/n. The denominator is random too: its part of the variance comes through the
    gradient (a bootstrap with the denominator held fixed gets it wrong).

    Examples
    --------
    >>> from offline_eval import LoggedBatch, values
    >>> rows = LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.5], target_propensity=[0.2, 0.2])
    >>> values([SNIPW()], rows)
    {'snipw': 0.5}

    References
    ----------
    Swaminathan, Joachims (2015), The Self-Normalized Estimator for Counterfactual Learning.
    """

    name = "snipw"
    needs_model = False

    def terms(self, rows: LoggedBatch) -> dict[str, FloatArray]:
        """Give weighted rewards and weights."""
        return {"gain": rows.gain, "weight": rows.weight}

    def value(self, means: Means) -> float:
        """Divide; not a number where all weights are 0."""
        return ratio(means["gain"], means["weight"])

    def gradient(self, means: Means) -> dict[str, float]:
        """Differentiate a ratio."""
        weight = means["weight"]
        return {"gain": ratio(1.0, weight), "weight": -ratio(self.value(means), weight)}

    def score_weights(self, means: Means) -> dict[str, float]:
        """Hold the denominator."""
        return {"gain": ratio(1.0, means["weight"])}
