"""Helpers that compute the bounds of an interval."""

from __future__ import annotations

from offline_eval import (
    Estimator,
    Limits,
    LoggedBatch,
    Totals,
)
from offline_eval.intervals import (
    Bounds,
    Interval,
)

LIMITS = Limits(0.0, 1.0, max_weight=8.0)


def bounds(
    interval: Interval,
    estimators: tuple[Estimator, ...],
    rows: LoggedBatch,
    alpha: float = 0.05,
    *,
    clustered: bool = False,
) -> list[Bounds]:
    totals = Totals(estimators, interval.keep(clustered=clustered))
    totals.add(rows)
    return interval.bounds(estimators, totals.sample(), alpha)


def is_held(interval: Bounds, truth: float) -> bool:
    return interval.low <= truth <= interval.high
