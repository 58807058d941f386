"""Tests of many differences at once: the probability of any false finding stays below a level.

Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, sqrt

from simulators.arrays import FloatArray


def chance_of_mean_above_0(differences: FloatArray) -> float:
    """Return the one-sided p-value of a mean above 0; of hundreds of differences the mean is nearly normal.

    >>> import numpy as np
    >>> chance_of_mean_above_0(np.array([-1.0, 1.0])), chance_of_mean_above_0(np.zeros(2))
    (0.5, 1.0)
    """
    mean, error = float(differences.mean()), float(differences.std(ddof=1)) / len(differences) ** 0.5
    if error == 0.0:
        return float(mean <= 0.0)
    return 0.5 * erfc(mean / error / sqrt(2.0))


def find_significant(chances: Sequence[float], level: float = 0.05) -> list[int]:
    """Return the positions of the p-values that Holm's procedure rejects, the smallest first.

    >>> find_significant([0.04, 0.6, 0.01])
    [2]
    >>> find_significant([0.04, 0.02])
    [1, 0]
    """
    order = sorted(range(len(chances)), key=chances.__getitem__)
    for number, position in enumerate(order):
        if chances[position] > level / (len(chances) - number):
            return order[:number]
    return order
