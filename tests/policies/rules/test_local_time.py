from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from policies.rules.local_time import local_days, local_minutes, local_seconds, local_weeks
from tests.strategies import moments, zones

every_zone = st.sampled_from(sorted(available_timezones()))
any_time = st.integers(946_684_800, 4_102_444_800).map(float)  # 2000 to 2100


def clock(at: float, zone: str) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))


def minute(at: float, zone: str) -> int:
    return local_minutes(local_seconds([at], zone))[0]


def day_of(at: float, zone: str) -> int:
    return local_days(local_seconds([at], zone))[0]


def assert_read_as_the_zone_says(at: float, zone: str) -> None:
    shown = clock(at, zone)
    assert minute(at, zone) == shown.hour * 60 + shown.minute
    assert day_of(at, zone) == shown.toordinal() - datetime(1970, 1, 1).toordinal()


@given(any_time, every_zone)
def test_any_time_in_any_zone(at: float, zone: str) -> None:
    assert_read_as_the_zone_says(at, zone)


@given(moments, st.integers(-900, 900), zones)
def test_around_every_change_of_clocks(moment: float, seconds: int, zone: str) -> None:
    assert_read_as_the_zone_says(moment + seconds, zone)


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
