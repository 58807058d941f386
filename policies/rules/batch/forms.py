"""The forms for many situations of rules that are no limits of the catalogue."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from policies.arrays import ByteArray
from policies.records.quiet_hours import QuietHours
from policies.rules.batch.limit import ALL, Limit
from policies.rules.batch.limit_table import LimitColumns
from policies.rules.batch.ranks import BatchRanks
from policies.rules.windows import WEEK_S

_WEEKS_KEPT = 1_024
_ONE_WEEK = Limit.of_gap(ALL, WEEK_S)


def quiet_hours_many(ranks: BatchRanks, rank: int) -> None:
    """Deny what `timing.quiet_hours` denies."""
    quiet = ranks.batch.numbering.quiet_weeks.take(ranks.batch.minutes_of_week, axis=0)  # (n, d, channels)
    ranks.by_channel(rank, quiet.transpose(0, 2, 1) == 1)


def own_quiet_hours_many(ranks: BatchRanks, rank: int) -> None:
    """Deny what `consent.own_quiet_hours` denies."""
    batch = ranks.batch
    wishes = [situation.state.quiet_hours for situation in batch.situations]
    if any(wishes):
        denied = np.zeros(batch.times.shape, dtype=np.bool_)
        for number, quiet_hours in ((number, wish) for number, wish in enumerate(wishes) if wish is not None):
            denied[number] = _week_of(quiet_hours).take(batch.minutes_of_week[number])
        ranks.by_delay(rank, denied)


@lru_cache(maxsize=_WEEKS_KEPT)
def _week_of(quiet_hours: QuietHours) -> ByteArray:
    return np.frombuffer(quiet_hours.week(), np.uint8)


def own_weekly_maximum_many(ranks: BatchRanks, rank: int) -> None:
    """Deny what `consent.own_weekly_maximum` denies."""
    maxima = np.array([situation.state.max_per_week or 0 for situation in ranks.batch.situations])
    groups, numbering = ranks.batch.groups, ranks.batch.numbering
    sends = ((groups.name == numbering.all) & (maxima[groups.situation] > 0)).nonzero()[0]
    if len(sends):
        limits = LimitColumns.of([(rank, _ONE_WEEK)], numbering)
        ranks.by_windows(limits, sends, np.zeros_like(sends), maxima[groups.situation[sends]])


def crowd_many(ranks: BatchRanks, rank: int) -> None:
    """Deny what `caps.cap_global` denies to shoppers with very many sends ahead."""
    crowded = [situation.is_crowded for situation in ranks.batch.situations]
    if any(crowded):
        ranks.by_delay(rank, np.array(crowded)[:, None])
