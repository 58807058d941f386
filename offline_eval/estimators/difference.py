"""The difference between two targets on the same rows."""

from __future__ import annotations

from offline_eval.batch import LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator, Limits, Means

_OTHER = "against: "
"""Before the name of a term of the other target."""


class Difference(Estimator):
    """How much more reward per decision the target earns than another target, by one estimator on the same rows.

    The two values are paired: what moves both alike cancels, so the interval is much narrower than the two intervals
    of the values suggest.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from offline_eval import IPW, LoggedBatch, estimate_values
    >>> batch = LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.5], target_propensity=[0.8, 0.2])
    >>> paired = replace(batch, against=batch.as_logging())
    >>> round(estimate_values([Difference(IPW())], paired)["ipw.difference"], 9)
    0.3
    """

    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator
        self.name = f"{estimator.name}.difference"  # type: ignore[misc]  # named after the estimator it pairs
        self.model_columns = estimator.model_columns  # type: ignore[misc]

    def trusts_model(self, largest_weight: float) -> bool:
        return self.estimator.trusts_model(largest_weight)

    def check(self, batch: LoggedBatch) -> None:
        for rows in (batch, batch.against):
            if rows is not None:
                super().check(rows)

    def terms(self, batch: LoggedBatch) -> dict[str, FloatArray]:
        if batch.against is None:
            raise NotAvailable("a difference needs the other target's probabilities for the same rows")
        terms, other = self.estimator.terms(batch), self.estimator.terms(batch.against)
        return {**terms, **{f"{_OTHER}{name}": term for name, term in other.items()}}

    def value(self, means: Means) -> float:
        return self.estimator.value(means) - self.estimator.value(_other_means(means))

    def gradient(self, means: Means) -> dict[str, float]:
        return _subtract(self.estimator.gradient(means), self.estimator.gradient(_other_means(means)))

    def score_weights(self, means: Means) -> dict[str, float]:
        return _subtract(self.estimator.score_weights(means), self.estimator.score_weights(_other_means(means)))

    def score_range(self, limits: Limits) -> tuple[float, float]:
        low, high = self.estimator.score_range(limits)
        return low - high, high - low


def _other_means(means: Means) -> dict[str, float]:
    return {name.removeprefix(_OTHER): mean for name, mean in means.items() if name.startswith(_OTHER)}


def _subtract(slopes: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {**slopes, **{f"{_OTHER}{name}": -slope for name, slope in other.items()}}
