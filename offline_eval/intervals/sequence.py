"""Confidence sequences: intervals that may be looked at after every row."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite, log, log1p, pi

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammainc, gammaln

from offline_eval.batch import Extremes, LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator, Limits
from offline_eval.estimators.difference import Difference
from offline_eval.intervals.base import Bounds, check_alpha

SEQUENCE = "sequence"
"""The name of this interval."""


class ConfidenceSequence:
    """Bounds that hold at all times at once with probability 1 - α, so that one may look, and stop, at any time.

    The sequence follows doubly robust pseudo-outcomes φ = w·(r - q̂) + v̂ ≥ -k, with k the largest possible weight
    (k = 0 leaves the reward model out: IPW) and rewards scaled to [0, 1]; the upper bound follows the same with 1 - r.
    The bounds hold the mean, over the rows so far, of the target's expected reward given the past: the logging policy
    may learn meanwhile, and a shopper's later rows may depend on the earlier ones. Choose k and ρ before looking at
    the data. The reward model must not have been fitted on the rows it predicts, nor on later ones.

    Parameters
    ----------
    limits
        Range of rewards and the largest possible weight.
    robust
        Use the reward model's columns; needs a finite largest weight.
    rho
        The bound is tightest where the sum of variances is about ``rho``.

    Examples
    --------
    >>> batch = LoggedBatch.of(reward=[1.0, 0.0] * 500, propensity=[0.5] * 1000, target_propensity=[0.5] * 1000)
    >>> sequence = ConfidenceSequence(Limits(0.0, 1.0))
    >>> sequence.update(batch)
    >>> low, high = sequence.bounds(alpha=0.05)
    >>> low < 0.5 < high
    True

    References
    ----------
    Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences
    (gamma-exponential mixture); Waudby-Smith, Wu, Ramdas, Karampatziakis, Mineiro (2022), Anytime-valid
    off-policy inference for contextual bandits.
    """

    def __init__(self, limits: Limits, *, robust: bool = False, rho: float = 20.0) -> None:
        if not np.isfinite([limits.reward_low, limits.reward_high]).all() or limits.spread <= 0:
            raise NotAvailable("a confidence sequence needs the range of rewards")
        if robust and not np.isfinite(limits.max_weight):
            raise NotAvailable("a doubly robust confidence sequence needs the largest possible weight")
        if not 0 < rho < inf:
            raise NotAvailable(f"rho must be positive, not {rho}")
        self._limits = limits
        self._cap = limits.max_weight if robust else 0.0
        self._robust = robust
        self._rho = rho
        self._below = _Side(self._cap)
        self._above = _Side(self._cap)

    def update(self, batch: LoggedBatch) -> None:
        """Add rows, in the order of time.

        Raises
        ------
        NotAvailable
            When the rows lie outside the limits that were given.
        """
        self._limits.check(Extremes.of(batch), with_model=self._robust)
        low, spread = self._limits.reward_low, self._limits.spread
        reward = (batch.reward - low) / spread
        if self._robust:
            q, v = (batch.q_chosen - low) / spread, (batch.v_target - low) / spread
        else:
            q, v = np.zeros(len(batch)), np.zeros(len(batch))
        self._below.update(batch.weight * (reward - q) + v)
        above_v = 1 - v if self._robust else v
        above_q = 1 - q if self._robust else q
        self._above.update(batch.weight * (1 - reward - above_q) + above_v)

    def __add__(self, other: ConfidenceSequence) -> ConfidenceSequence:
        """Return the sequence over the rows of both; valid, because each part predicts from its own past only."""
        merged = ConfidenceSequence(self._limits, robust=self._robust, rho=self._rho)
        merged._below = self._below + other._below
        merged._above = self._above + other._above
        return merged

    def bounds(self, alpha: float) -> Bounds:
        """Return the bounds after the rows so far."""
        level = log(2 / check_alpha(alpha))
        below, above = self._below.bound(level, self._rho), self._above.bound(level, self._rho)
        low, spread = self._limits.reward_low, self._limits.spread
        return Bounds(low + spread * below, low + spread * (1 - above))


class ConfidenceSequences:
    """The confidence sequences of an evaluation: for each estimator and for the mean reward, of both targets.

    Examples
    --------
    >>> from offline_eval import IPW
    >>> sequences = ConfidenceSequences([IPW()], Limits(0.0, 1.0))
    >>> sequences.update(LoggedBatch.of(reward=[1.0] * 50, propensity=[0.5] * 50, target_propensity=[0.5] * 50))
    >>> sequences.bounds(IPW(), alpha=0.05).high
    1.0
    """

    def __init__(self, estimators: Sequence[Estimator], limits: Limits) -> None:
        self._of_target = self._start(estimators, limits)
        self._of_other = self._start(estimators, limits)
        self._of_mean_reward = ConfidenceSequence(limits)

    @staticmethod
    def _start(estimators: Sequence[Estimator], limits: Limits) -> dict[str, ConfidenceSequence]:
        return {estimator.name: ConfidenceSequence(limits, robust=estimator.needs_model) for estimator in estimators}

    def update(self, batch: LoggedBatch) -> None:
        """Add rows, in the order of time."""
        self._of_mean_reward.update(batch.as_logging())
        for sequence in self._of_target.values():
            sequence.update(batch)
        if batch.against is not None:
            for sequence in self._of_other.values():
                sequence.update(batch.against)

    def bounds(self, estimator: Estimator, alpha: float) -> Bounds:
        """Return the bounds after the rows so far; those of the mean reward where the estimator has no sequence."""
        if isinstance(estimator, Difference):
            name = estimator.estimator.name
            return bound_difference(self._of_target[name], self._of_other[name], alpha)
        return self._of_target.get(estimator.name, self._of_mean_reward).bounds(alpha)


def bound_difference(minuend: ConfidenceSequence, subtrahend: ConfidenceSequence, alpha: float) -> Bounds:
    """Return bounds of the difference of two values, valid at all times: each sequence gets half of α."""
    (low, high), (other_low, other_high) = minuend.bounds(alpha / 2), subtrahend.bounds(alpha / 2)
    return Bounds(low - other_high, high - other_low)


class _Side:
    """The lower bound for the mean of scores that are at least -cap."""

    def __init__(self, cap: float) -> None:
        self.cap = cap
        self.count = 0
        self.total = 0.0
        self.variation = 0.0

    def update(self, scores: FloatArray) -> None:
        """Add scores; each is compared with the mean of the scores before it."""
        scaled = scores / (self.cap + 1)
        most = 1 / (self.cap + 1)
        before = self.total + np.concatenate([[0.0], np.cumsum(scaled)])
        before_count = self.count + np.arange(len(scaled))
        predicted = np.clip((before[:-1] + most / 2) / (before_count + 1), 0.0, most)
        self.variation += float(((scaled - predicted) ** 2).sum())
        self.total = float(before[-1])
        self.count += len(scaled)

    def __add__(self, other: _Side) -> _Side:
        merged = _Side(self.cap)
        merged.count = self.count + other.count
        merged.total = self.total + other.total
        merged.variation = self.variation + other.variation
        return merged

    def bound(self, level: float, rho: float) -> float:
        """Return the smallest mean within [0, 1] that the mixture martingale does not reject."""
        if self.count == 0 or self.total <= 0 or not isfinite(self.total + self.variation):
            return 0.0

        def excess(mean: float) -> float:
            return _log_mixture(self.total - self.count * mean / (self.cap + 1), self.variation, rho) - level

        if excess(0.0) <= 0:
            return 0.0
        greatest = self.total * (self.cap + 1) / self.count
        return min(1.0, float(brentq(excess, 0.0, greatest, xtol=1e-10)))


def _log_mixture(s: float, v: float, rho: float) -> float:
    """Return the logarithm of the gamma-exponential mixture supermartingale.

    The terms of the formula grow with v, and cancel each other down to the logarithm of v. So they are taken together
    before they are rounded: with a v of 1e16, a sum of rounded terms would reject every mean.
    """
    shape = v + rho
    return float(
        s
        - shape * log1p(s / shape)
        - log(shape / rho) / 2
        + _stirling_error(shape)
        - _stirling_error(rho)
        + np.log(gammainc(shape, shape + s))
        - np.log(gammainc(rho, rho))
    )


def _stirling_error(shape: float) -> float:
    """Return log Γ(shape) + shape - (shape - ½)·log(shape), which approaches log(2π)/2."""
    if shape > 1e4:
        return log(2 * pi) / 2 + 1 / (12 * shape)
    return float(gammaln(shape) - (shape - 0.5) * log(shape) + shape)
