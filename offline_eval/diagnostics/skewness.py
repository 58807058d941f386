"""The skewness to expect of weighted rewards, which the skewness of one sample can hide."""

from __future__ import annotations

from math import inf

import numpy as np

from offline_eval.columns import FloatArray
from offline_eval.rounding import root


class Skewness:
    """The expected skewness of centred rewards times weights; two can be added.

    The skewness of the products in a sample can hide the problem: it is small exactly when no rare reward happened to
    have a large weight. So the skewness is computed from weights and rewards as if they were independent:
    Ew³ ÷ (Ew²)^1.5 times the skewness of the rewards. The latter is taken over all rows, and once more over the rows
    with the weight that they have in the variance (w²), and the worse of the two counts: rewards that are common where
    the target does not go say nothing of rewards that are rare where it goes.

    Examples
    --------
    >>> skewness = Skewness()
    >>> skewness.add(weight=np.array([1.0, 1.0, 2.0]), reward=np.array([0.0, 1.0, 1.0]))
    >>> round(skewness.value(), 3)
    -2.108
    """

    def __init__(self) -> None:
        self._plain = np.zeros(4)  # Σr⁰, Σr, Σr², Σr³
        self._weighted = np.zeros(4)  # Σw², Σw²r, Σw²r², Σw²r³
        self._cubes = 0.0  # Σw³

    def add(self, weight: FloatArray, reward: FloatArray) -> None:
        """Add rows: weights (n,) and rewards (n,)."""
        powers = np.stack([np.ones_like(reward), reward, reward * reward, reward * reward * reward])
        squares = weight * weight
        self._plain += powers.sum(axis=1)
        self._weighted += powers @ squares
        self._cubes += float(squares @ weight)

    def __add__(self, other: Skewness) -> Skewness:
        merged = Skewness()
        merged._plain = self._plain + other._plain
        merged._weighted = self._weighted + other._weighted
        merged._cubes = self._cubes + other._cubes
        return merged

    def value(self) -> float:
        """Return the skewness; infinite where all rows with weight have the same reward, 0 where no row has weight."""
        count, squares = float(self._plain[0]), float(self._weighted[0])
        if squares <= 0:
            return 0.0
        square = squares / count
        spread = self._cubes / count / square / root(square)  # square ** 1.5 can be too small for a number
        return spread * max(_skewness(self._plain), _skewness(self._weighted), key=abs)


def _skewness(moments: FloatArray) -> float:
    mean, square, cube = (moments[1:] / moments[0]).tolist()
    variance = square - mean**2
    if variance <= 1e-12 * square:
        return inf
    return float((cube - 3 * mean * square + 2 * mean**3) / variance / root(variance))
