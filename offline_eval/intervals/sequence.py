"""A confidence sequence: an interval that may be looked at after every row."""

from __future__ import annotations

from math import inf, log

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammainc, gammaln

from offline_eval.batch import FloatArray, LoggedBatch
from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Limits
from offline_eval.extremes import Extremes
from offline_eval.intervals.base import Bounds, check_alpha


class ConfidenceSequence:
    """Bounds that hold at all times at once with probability 1 - α, so one may peek, and stop when it suits.

    It follows doubly robust pseudo-outcomes φ = w·(r - q̂) + v̂ ≥ -k, with k the largest possible weight (k = 0
    leaves the reward model out: IPS), rewards scaled to [0, 1]; for the upper bound the same with 1 - r. What it
    bounds is the mean over the rows so far of the target's expected reward given the past: the logging policy
    may learn meanwhile, and a shopper's later rows may depend on the earlier ones. Choose k and ρ before looking
    at the data. q̂ must not have been fitted on the rows it predicts, nor on later ones.

    Parameters
    ----------
    limits
        Range of rewards and the largest possible weight.
    robust
        Use the reward model's columns; needs a finite largest weight.
    rho
        Where the bound is tightest: at a variance sum of about ``rho``.

    Examples
    --------
    >>> rows = LoggedBatch.of(reward=[1.0, 0.0] * 500, propensity=[0.5] * 1000, target_propensity=[0.5] * 1000)
    >>> sequence = ConfidenceSequence(Limits(0.0, 1.0))
    >>> sequence.update(rows)
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

    def update(self, rows: LoggedBatch) -> None:
        """Add rows, in the order of time.

        Raises
        ------
        NotAvailable
            When the rows lie outside the limits that were given.
        """
        self._limits.check(Extremes.of(rows), with_model=self._robust)
        low, spread = self._limits.reward_low, self._limits.spread
        reward = (rows.reward - low) / spread
        if self._robust:
            q, v = (rows.q_chosen - low) / spread, (rows.v_target - low) / spread
        else:
            q, v = np.zeros(len(rows)), np.zeros(len(rows))
        self._below.update(rows.weight * (reward - q) + v)
        above_v = 1 - v if self._robust else v
        above_q = 1 - q if self._robust else q
        self._above.update(rows.weight * (1 - reward - above_q) + above_v)

    def __add__(self, other: ConfidenceSequence) -> ConfidenceSequence:
        """Merge with what another has followed: valid, as each predicts from its own past."""
        merged = ConfidenceSequence(self._limits, robust=self._robust, rho=self._rho)
        merged._below = self._below + other._below
        merged._above = self._above + other._above
        return merged

    def bounds(self, alpha: float) -> Bounds:
        """Give the bounds as of now."""
        level = log(2 / check_alpha(alpha))
        below, above = self._below.bound(level, self._rho), self._above.bound(level, self._rho)
        low, spread = self._limits.reward_low, self._limits.spread
        return Bounds(low + spread * below, low + spread * (1 - above))


def apart(own: ConfidenceSequence, other: ConfidenceSequence, alpha: float) -> Bounds:
    """Give bounds of the difference of what two sequences bound, valid at all times: each may miss with α/2."""
    (low, high), (other_low, other_high) = own.bounds(alpha / 2), other.bounds(alpha / 2)
    return Bounds(low - other_high, high - other_low)


class _Side:
    """One side: lower bound for the mean of scores that are at least -cap."""

    def __init__(self, cap: float) -> None:
        self.cap = cap
        self.count = 0
        self.total = 0.0
        self.variation = 0.0

    def update(self, scores: FloatArray) -> None:
        """Add scores, each compared with the mean of those before it."""
        scaled = scores / (self.cap + 1)
        most = 1 / (self.cap + 1)
        before = self.total + np.concatenate([[0.0], np.cumsum(scaled)])
        seen = self.count + np.arange(len(scaled))
        foreseen = np.clip((before[:-1] + most / 2) / (seen + 1), 0.0, most)
        self.variation += float(((scaled - foreseen) ** 2).sum())
        self.total = float(before[-1])
        self.count += len(scaled)

    def __add__(self, other: _Side) -> _Side:
        merged = _Side(self.cap)
        merged.count = self.count + other.count
        merged.total = self.total + other.total
        merged.variation = self.variation + other.variation
        return merged

    def bound(self, level: float, rho: float) -> float:
        """Give the smallest mean that the mixture martingale does not reject, within [0, 1]."""
        if self.count == 0 or self.total <= 0:
            return 0.0

        def excess(mean: float) -> float:
            return _log_mixture(self.total - self.count * mean / (self.cap + 1), self.variation, rho) - level

        if excess(0.0) <= 0:
            return 0.0
        greatest = self.total * (self.cap + 1) / self.count
        return min(1.0, float(brentq(excess, 0.0, greatest, xtol=1e-10)))


def _log_mixture(s: float, v: float, rho: float) -> float:
    """Give the logarithm of the gamma-exponential mixture supermartingale."""
    shape, place = v + rho, s + v + rho
    return float(
        s
        + v
        + rho * log(rho)
        - shape * log(place)
        + gammaln(shape)
        + np.log(gammainc(shape, place))
        - gammaln(rho)
        - np.log(gammainc(rho, rho))
    )
