from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from policies.rules.local_time import local_days, local_months, local_seconds, local_weeks, minutes_of_week
from tests.strategies import moments, zones

every_zone = st.sampled_from(sorted(available_timezones()))
any_time = st.integers(946_684_800, 4_102_444_800).map(float)  # 2000 to 2100


def clock(at: float, zone: str) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))


def minute(at: float, zone: str) -> int:
    return minutes_of_week(local_seconds([at], zone))[0] % 1_440


def day_of(at: float, zone: str) -> int:
    return local_days(local_seconds([at], zone))[0]


def assert_read_as_the_zone_says(at: float, zone: str) -> None:
    shown = clock(at, zone)
    assert minutes_of_week(local_seconds([at], zone)) == [(shown.weekday() * 24 + shown.hour) * 60 + shown.minute]
    assert day_of(at, zone) == shown.toordinal() - datetime(1970, 1, 1).toordinal()


@given(any_time, every_zone)
def test_any_time_in_any_zone(at: float, zone: str) -> None:
    assert_read_as_the_zone_says(at, zone)


@given(moments, st.integers(-900, 900), zones)
def test_around_every_change_of_clocks(moment: float, seconds: int, zone: str) -> None:
    assert_read_as_the_zone_says(moment + seconds, zone)


@given(moments, st.lists(st.integers(-200, 200), max_size=6).map(sorted), zones)
def test_times_are_read_together_as_each_alone(moment: float, hours: list[int], zone: str) -> None:
    times = [moment + hour * 3_600 for hour in hours]
    assert local_seconds(times, zone) == [local_seconds([at], zone)[0] for at in times]


def test_the_hour_that_is_missing_and_the_hour_that_comes_twice() -> None:
    forward, back = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
    for change, minutes in ((forward, [119, 180]), (back, [179, 120])):
        times = [(change + timedelta(minutes=offset)).timestamp() for offset in (-1, 0)]
        assert [minute(at, "Europe/Madrid") for at in times] == minutes


@given(any_time, every_zone)
def test_weeks_begin_on_monday(at: float, zone: str) -> None:
    monday = clock(at, zone).date() - timedelta(days=clock(at, zone).weekday())
    day = day_of(at, zone)
    first = (monday - datetime(1970, 1, 1).date()).days
    (week,) = local_weeks([day])
    assert local_weeks([first - 1, first, first + 6]) == [week - 1, week, week]


@given(any_time, every_zone)
def test_months_are_those_of_the_calendar(at: float, zone: str) -> None:
    first = clock(at, zone).date().replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    days = [(date - datetime(1970, 1, 1).date()).days for date in (first, last)]
    (month,) = local_months([day_of(at, zone)])
    assert local_months([days[0] - 1, *days, days[1] + 1]) == [month - 1, month, month, month + 1]
