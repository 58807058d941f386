"""Budgets: what a channel's sends of a UTC day may cost together; the one rule over all shoppers."""

from __future__ import annotations

from collections.abc import Mapping

Spent = Mapping[tuple[str, int], int]
"""What sends cost so far, by channel and UTC day, in millionths: sums of them are exact."""

NOTHING_SPENT: Spent = {}
_DAY_S = 86_400


def millionths(cost: float) -> int:
    """Write a cost in millionths.

    >>> millionths(0.015)
    15000
    """
    return round(cost * 1_000_000)


def utc_day(at: float) -> int:
    """Number the UTC day of a time: days since 1970-01-01.

    >>> utc_day(86_400.0)
    1
    """
    return int(at // _DAY_S)


def overdraws(spent: int, cost: float, budget: float) -> bool:
    """Tell whether one more send would cost more than is left.

    >>> overdraws(985_000, 0.015, 1.0), overdraws(985_001, 0.015, 1.0)
    (False, True)
    """
    return spent + millionths(cost) > millionths(budget)
