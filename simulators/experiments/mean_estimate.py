"""Means with 95 % intervals by Student's t: over seeds, and of paired differences over seeds and shoppers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from scipy.special import stdtrit

from simulators.arrays import FloatArray

_NORMAL = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


@dataclass(frozen=True)
class MeanEstimate:
    """An estimated mean with the bounds of its 95 % interval, which are infinite where nothing tells them."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies above or below 0, 0 where the interval contains 0."""
        return int(self.low > 0) - int(self.high < 0)


def estimate_over_seeds(values: Sequence[float], least: float = -inf, most: float = inf) -> MeanEstimate:
    """Estimate a mean over seeds; with one seed, low and high are the mean.

    Parameters
    ----------
    least, most
        The range of possible values, which the interval does not leave.

    Examples
    --------
    >>> estimate = estimate_over_seeds([1.0, 2.0, 3.0])
    >>> estimate.value, round(estimate.low, 2), round(estimate.high, 2)
    (2.0, -0.48, 4.48)
    >>> estimate_over_seeds([0.9, 1.0], most=1.0).high
    1.0
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return MeanEstimate(mean, mean, mean)
    half_width = t_quantile(len(values) - 1) * _standard_error(np.asarray(values, dtype=np.float64))
    return MeanEstimate(mean, min(max(mean - half_width, least), mean), max(min(mean + half_width, most), mean))


def estimate_paired_mean(by_seed: Sequence[FloatArray]) -> MeanEstimate:
    """Estimate the mean of differences between two contenders, which met the same shoppers in the same worlds.

    The seeds are the independent units, because a policy that learns carries what it learned by chance to all shoppers
    of a world. Two or three seeds may agree by chance, so the standard error is at least the one that the differences
    of single shoppers give. With one seed, the shoppers are the units, and the interval holds for this one run.

    Parameters
    ----------
    by_seed
        For each seed, the differences by shopper (N,).

    Examples
    --------
    >>> estimate_paired_mean([np.array([1.0, 3.0]), np.array([2.0, 2.0])]).value
    2.0
    """
    means = np.array([float(differences.mean()) for differences in by_seed])
    mean = float(means.mean())
    of_shoppers = sqrt(float(sum(_standard_error(differences) ** 2 for differences in by_seed))) / len(by_seed)
    if len(by_seed) > 1:
        degrees, error = len(by_seed) - 1, max(_standard_error(means), of_shoppers)
    else:
        degrees, error = len(by_seed[0]) - 1, of_shoppers
    half_width = t_quantile(degrees) * error if degrees else inf
    return MeanEstimate(mean, mean - half_width, mean + half_width)


def estimate_paired_ratio(by_seed: Sequence[FloatArray], others: Sequence[FloatArray]) -> MeanEstimate | None:
    """Estimate the ratio of two means from the values of the same shoppers, by linearisation (delta method).

    Returns None where the mean below the line may be 0 or negative: the ratio then means nothing.

    >>> ratio = estimate_paired_ratio([np.array([2.0, 4.1, 4.0])], [np.array([1.0, 2.0, 2.0])])
    >>> ratio is not None and (round(ratio.value, 2), round(ratio.low, 2), round(ratio.high, 2))
    (2.02, 1.94, 2.1)
    """
    below = estimate_paired_mean(others)
    if not below.low > 0:
        return None
    value = estimate_paired_mean(by_seed).value / below.value
    residuals = [(one - value * other) / below.value for one, other in zip(by_seed, others, strict=True)]
    spread = estimate_paired_mean(residuals)
    return MeanEstimate(value, value + spread.low, value + spread.high)


def estimate_share(count: int, trials: int) -> MeanEstimate:
    """Estimate a probability from independent trials, with Wilson's interval, which is right for rare events, too.

    >>> estimate = estimate_share(1, 100)
    >>> estimate.value, round(estimate.low, 4), round(estimate.high, 4)
    (0.01, 0.0018, 0.0545)
    """
    share, z = count / trials, _NORMAL
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    reach = z / (1 + z * z / trials) * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return MeanEstimate(share, max(0.0, middle - reach), min(1.0, middle + reach))


def t_quantile(degrees: int, share: float = 0.975) -> float:
    """Return a quantile of Student's t, by default that of a 95 % interval.

    >>> round(t_quantile(1), 3), round(t_quantile(11), 3), round(t_quantile(19, 0.9), 3)
    (12.706, 2.201, 1.328)
    """
    return float(stdtrit(degrees, share))


def _standard_error(values: FloatArray) -> float:
    """Return the standard error of a mean; 0 for a single value."""
    return float(np.std(values, ddof=1)) / sqrt(len(values)) if len(values) > 1 else 0.0
