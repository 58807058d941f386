"""A chi-square test: do frequencies agree with probabilities?"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

_Z = 4.2649
"""The 1 - 1e-5 quantile of the standard normal distribution; 1e-5 is the false-alarm rate of the test."""


def chi_square_limit(degrees: int) -> float:
    """Return the 1 - 1e-5 quantile of the chi-square distribution, by Wilson and Hilferty (1931)."""
    return degrees * (1 - 2 / (9 * degrees) + _Z * math.sqrt(2 / (9 * degrees))) ** 3


def frequencies_equal(counts: Mapping[str, int], probabilities: Mapping[str, float]) -> bool:
    """Return whether the counts agree with the probabilities. Cells with an expected count below 5 are merged."""
    total = sum(counts.values())
    expected = {name: total * p for name, p in probabilities.items()}
    small = [name for name, value in expected.items() if value < 5]
    cells = [(counts.get(name, 0), value) for name, value in expected.items() if name not in small]
    if small:
        cells.append((sum(counts.get(name, 0) for name in small), sum(expected[name] for name in small)))
    observed_counts, expected_counts = np.array(cells).T
    statistic = ((observed_counts - expected_counts) ** 2 / expected_counts).sum()
    return bool(statistic < chi_square_limit(len(cells) - 1))
