"""The Clopper-Pearson interval for binary rewards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from scipy.special import betaincinv

from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator, Limits
from offline_eval.estimators.ipw import IPW
from offline_eval.intervals.base import Bounds, Interval, check_alpha
from offline_eval.totals import Sample


class ClopperPearson(Interval):
    """The exact binomial interval of Σ w·r ÷ W successes in n rows, times W, the largest possible weight.

    For IPW on binary rewards of independent rows. The interval is exact where all weights are 0 or W (a deterministic
    target on a uniform log). Elsewhere w·r/W lies between 0 and 1 and varies less than a binary variable of the same
    mean, so the interval is conservative. It does not exist for clusters, because a shopper's rows are not independent.

    References
    ----------
    Clopper, Pearson (1934), The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial.
    """

    name = "clopper-pearson"

    def __init__(self, limits: Limits) -> None:
        if (limits.reward_low, limits.reward_high) != (0.0, 1.0):
            raise NotAvailable("a Clopper-Pearson interval needs rewards of 0 and 1 only")
        self.limits = limits

    @classmethod
    def make(cls, limits: Limits, draws: int, seed: int | None) -> Self:
        return cls(limits)

    def check(self, estimators: Sequence[Estimator]) -> None:
        """Refuse all estimators but IPW, and IPW without a largest possible weight."""
        for estimator in estimators:
            if not isinstance(estimator, IPW):
                raise NotAvailable(f"a Clopper-Pearson interval exists for ipw, not for {estimator.name}")
            estimator.score_range(self.limits)

    def bounds(self, estimators: Sequence[Estimator], sample: Sample, alpha: float) -> list[Bounds]:
        check_alpha(alpha)
        self.check(estimators)
        self.limits.check(sample.extremes, with_model=False)
        if sample.units is not None and (sample.units.sizes > 1).any():
            raise NotAvailable(
                "a Clopper-Pearson interval needs independent rows, but shoppers have several: "
                "choose another interval, or treat rows as independent"
            )
        return [self._bounds(estimator, sample, alpha) for estimator in estimators]

    def _bounds(self, estimator: Estimator, sample: Sample, alpha: float) -> Bounds:
        _, most = estimator.score_range(self.limits)
        successes = estimator.value(sample.means) / most * sample.rows
        failures = max(0.0, sample.rows - successes)
        low = float(betaincinv(successes, failures + 1, alpha / 2)) if successes > 0 else 0.0
        high = float(betaincinv(successes + 1, failures, 1 - alpha / 2)) if failures > 0 else 1.0
        return Bounds(most * low, most * high)
