"""The chi-square test of frequencies against probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

_Z = 4.2649
"""The 1 - 1e-5 quantile of the normal distribution: the false-alarm rate of the tests that use this."""


def chi_square_limit(degrees: int) -> float:
    """Give the 1 - 1e-5 quantile of chi-square by Wilson and Hilferty (1931)."""
    return degrees * (1 - 2 / (9 * degrees) + _Z * math.sqrt(2 / (9 * degrees))) ** 3


def frequencies_equal(counts: Mapping[str, int], probabilities: Mapping[str, float]) -> bool:
    """Tell whether counts may have come from the probabilities; cells expected below 5 are put together."""
    total = sum(counts.values())
    expected = {name: total * p for name, p in probabilities.items()}
    small = [name for name, value in expected.items() if value < 5]
    cells = [(counts.get(name, 0), value) for name, value in expected.items() if name not in small]
    if small:
        cells.append((sum(counts.get(name, 0) for name in small), sum(expected[name] for name in small)))
    observed, wanted = np.array(cells).T
    return bool(((observed - wanted) ** 2 / wanted).sum() < chi_square_limit(len(cells) - 1))
