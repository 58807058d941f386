"""Local time: the time on a shopper's own clock, at the price of a look-up.

A decision needs many local times around today. Clocks change on a few days a year, so the offset from UTC is remembered
by zone and UTC day. On a day on which the offset changes, the zone itself is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from policies.catalogue.time_zones import load_zone

DAY_S = 86_400
WEEK_S = 7 * DAY_S
_FIRST_DAY = date(1970, 1, 1)
_LOOKS = (0, 21_600, 43_200, 64_800, 86_400)
"""No zone has ever changed its clocks and changed them back within six hours."""


def local_seconds(times: Sequence[float], zone: str) -> list[float]:
    """Return local times as seconds since 1970-01-01 00:00 on the clock of a time zone; ``times`` are in order.

    >>> local_seconds([0.0, 86_400.0], "Asia/Tokyo")
    [32400.0, 118800.0]
    """
    if not times:
        return []
    offset = _offset_through(zone, times[0] // DAY_S, times[-1] // DAY_S)
    return [at + (_offset_at(zone, at) if offset is None else offset) for at in times]


def local_days(local_times: Iterable[float]) -> list[int]:
    """Return the days of local times, as days since 1970-01-01."""
    return [int(local_s // DAY_S) for local_s in local_times]


def minutes_of_week(local_times: Iterable[float]) -> list[int]:
    """Return the minutes of the week of local times. Weeks begin on Monday; 1970-01-01 was a Thursday.

    >>> minutes_of_week([4 * 86_400.0 + 60.0, 60.0])
    [1, 4321]
    """
    return [int((local_s + 3 * DAY_S) % WEEK_S // 60) for local_s in local_times]


def local_weeks(days: Iterable[int]) -> list[int]:
    """Return the weeks of days. Weeks begin on Monday; 1970-01-01 was a Thursday.

    >>> local_weeks([-4, -3, 3, 4])
    [-1, 0, 0, 1]
    """
    return [(day + 3) // 7 for day in days]


def local_months(days: Iterable[int]) -> list[int]:
    """Return the calendar months of days, as months since January of the year 0.

    >>> local_months([-1, 0, 30, 31]) == [1969 * 12 + 11, 1970 * 12, 1970 * 12, 1970 * 12 + 1]
    True
    """
    return [_month_of(day) for day in days]


@lru_cache(maxsize=4_096)
def _month_of(day: int) -> int:
    that = _FIRST_DAY + timedelta(days=day)
    return that.year * 12 + that.month - 1


def local_times_between(begin: float, end: float, minutes: Collection[int], zone: str) -> list[float]:
    """Return the times, from some time before ``begin`` to some time after ``end``, with these minutes of a local day.

    The moments at which the clocks change are returned too, because such a moment can skip a minute. Near a change of
    the clocks there may be times with other minutes; no time is missing.

    >>> local_times_between(0.0, 86_400.0, {7 * 60}, "Asia/Tokyo")[:2]
    [-93600.0, -7200.0]
    """
    days = range(int(begin // DAY_S) - 1, int(end // DAY_S) + 2)
    starts = {day * DAY_S - offset for day in days for offset in _offsets_near(zone, day)}
    times = {start + minute * 60.0 for start in starts for minute in minutes}
    times.update(change for day in days for change in _changes_on(zone, day))
    return sorted(times)


@lru_cache(maxsize=65_536)
def _offsets_near(zone: str, day: int) -> frozenset[float]:
    """Return the offsets from UTC that may hold on a local day: those of the UTC days around it."""
    return frozenset(_offset_at(zone, look) for look in _looks(day - 1, day, day + 1))


@lru_cache(maxsize=65_536)
def _changes_on(zone: str, day: int) -> tuple[float, ...]:
    """Return the moments within a UTC day from which the clocks show another offset."""
    pairs = pairwise(_looks(day))
    return tuple(_find_change(zone, *pair) for pair in pairs if _offset_at(zone, pair[0]) != _offset_at(zone, pair[1]))


def _looks(*days: int) -> list[float]:
    return sorted({float(day * DAY_S + seconds) for day in days for seconds in _LOOKS})


def _find_change(zone: str, early: float, late: float) -> float:
    """Return the first whole second with the later of two offsets."""
    before = _offset_at(zone, early)
    while late - early > 1.0:
        middle = (early + late) // 2
        early, late = (middle, late) if _offset_at(zone, middle) == before else (early, middle)
    return late


@lru_cache(maxsize=65_536)
def _offset_through(zone: str, first: float, last: float) -> float | None:
    """Return the offset from UTC that holds from one UTC day through another; None when the clocks change."""
    offsets = {_offset_on(zone, float(day)) for day in range(int(first), int(last) + 1)}
    return offsets.pop() if len(offsets) == 1 else None


@lru_cache(maxsize=65_536)
def _offset_on(zone: str, day: float) -> float | None:
    """Return the offset from UTC, in seconds, that holds all through a UTC day; None when the clocks change."""
    first, *others = (_offset_at(zone, day * DAY_S + seconds) for seconds in _LOOKS)
    return first if all(other == first for other in others) else None


def _offset_at(zone: str, at: float) -> float:
    offset = datetime.fromtimestamp(at, UTC).astimezone(load_zone(zone)).utcoffset()
    return offset.total_seconds() if offset is not None else 0.0
