"""From the measurements of all rounds to one number: the median, with the range or an interval."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from math import sqrt

from decision_service.cli.measurements import Measured


def median(name: str, values: Sequence[float], unit: str) -> Measured:
    """Return the median over the rounds with their range.

    >>> median("a.ratio", [3.0, 1.0, 2.0], "ratio")
    Measured(name='a.ratio', value=2.0, low=1.0, high=3.0, unit='ratio; interval: all rounds')
    """
    return Measured(name, statistics.median(values), min(values), max(values), f"{unit}; interval: all rounds")


def median_interval(name: str, values: Iterable[float], unit: str) -> Measured:
    """Return the median over the rounds with its 95 % interval by order statistics.

    >>> median_interval("a.us", [3.0, 1.0, 2.0, 5.0, 4.0, 7.0, 6.0], "us")
    Measured(name='a.us', value=4.0, low=1.0, high=7.0, unit='us')
    """
    ordered = sorted(map(float, values))
    middle, reach = len(ordered) / 2, 0.98 * sqrt(len(ordered))
    low, high = max(0, int(middle - reach)), min(len(ordered) - 1, int(middle + reach))
    return Measured(name, statistics.median(ordered), ordered[low], ordered[high], unit)
