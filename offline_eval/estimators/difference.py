"""The difference between two targets on the same rows."""

from __future__ import annotations

from offline_eval.batch import FloatArray, LoggedBatch
from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator, Limits, Means


class Difference(Estimator):
    """How much more reward per decision the target makes than another, by one estimator on the same rows.

    Paired: what moves both values alike cancels, so it is far sharper than two intervals side by side.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from offline_eval import IPW, LoggedBatch, values
    >>> rows = LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.5], target_propensity=[0.8, 0.2])
    >>> paired = replace(rows, against=rows.as_logging())
    >>> round(values([Difference(IPW())], paired)["ipw.difference"], 9)
    0.3
    """

    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator
        self.name = f"{estimator.name}.difference"  # type: ignore[misc]  # named after the estimator it pairs
        self.needs_model = estimator.needs_model  # type: ignore[misc]

    def terms(self, rows: LoggedBatch) -> dict[str, FloatArray]:
        """Give the terms of both."""
        if rows.against is None:
            raise NotAvailable("a difference needs the other target's probabilities for the same rows")
        own, other = self.estimator.terms(rows), self.estimator.terms(rows.against)
        return {**own, **{f"against: {name}": term for name, term in other.items()}}

    def value(self, means: Means) -> float:
        """Subtract."""
        return self.estimator.value(means) - self.estimator.value(_of_other(means))

    def gradient(self, means: Means) -> dict[str, float]:
        """Differentiate both."""
        own, other = self.estimator.gradient(means), self.estimator.gradient(_of_other(means))
        return {**own, **{f"against: {name}": -slope for name, slope in other.items()}}

    def score_weights(self, means: Means) -> dict[str, float]:
        """Hold both normalisers."""
        own, other = self.estimator.score_weights(means), self.estimator.score_weights(_of_other(means))
        return {**own, **{f"against: {name}": -slope for name, slope in other.items()}}

    def score_range(self, limits: Limits) -> tuple[float, float]:
        """Give the range of the difference of two scores."""
        low, high = self.estimator.score_range(limits)
        return low - high, high - low


def _of_other(means: Means) -> dict[str, float]:
    return {name.removeprefix("against: "): mean for name, mean in means.items() if name.startswith("against: ")}
