"""From the measurements of all rounds to one number with its range."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from decision_service.cli.measurements import Measured


def median(name: str, values: Sequence[float], unit: str) -> Measured:
    """Return the median over the rounds with their range.

    >>> median("a.ratio", [3.0, 1.0, 2.0], "ratio")
    Measured(name='a.ratio', value=2.0, low=1.0, high=3.0, unit='ratio; interval: all rounds')
    """
    return Measured(name, statistics.median(values), min(values), max(values), f"{unit}; interval: all rounds")
