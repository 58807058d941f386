"""Quiet hours against every minute of a week."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.records.quiet_hours import QuietHours, QuietSpan
from tests.strategies import own_quiet_hours

DAY, WEEK = 1_440, 7 * 1_440


def minutes_of(span: QuietSpan) -> set[int]:
    """Return the minutes of the week from each beginning of the span to its end."""
    length = span.end - span.start if span.start < span.end else span.end + DAY - span.start
    days = span.days or range(7)
    return {(day * DAY + span.start + minute) % WEEK for day in days for minute in range(length)}


@given(own_quiet_hours)
def test_quiet_hours_contain_each_minute_from_a_beginning_to_its_end(quiet_hours: QuietHours) -> None:
    expected = set().union(*map(minutes_of, quiet_hours.spans))
    assert {minute for minute in range(WEEK) if quiet_hours.contain(minute)} == expected
    assert {minute for minute, quiet in enumerate(quiet_hours.week()) if quiet} == expected


@given(own_quiet_hours)
def test_what_is_stored_is_read_again(quiet_hours: QuietHours) -> None:
    assert msgspec.json.decode(msgspec.json.encode(quiet_hours), type=QuietHours) == quiet_hours
    assert QuietHours.of(quiet_hours.spans) == quiet_hours


@given(st.integers(0, 1_439), st.integers(0, 1_439))
def test_the_pair_that_earlier_versions_stored_is_one_span_of_every_day(start: int, end: int) -> None:
    quiet_hours = msgspec.json.decode(b"[%d,%d]" % (start, end), type=QuietHours)
    assert quiet_hours == QuietHours(start, end)
    expected = minutes_of(QuietSpan(start, end)) if start != end else set()
    assert {minute for minute in range(WEEK) if quiet_hours.contain(minute)} == expected
    assert sum(quiet_hours.week()) == len(expected)


def test_a_night_that_begins_on_friday_ends_on_saturday() -> None:
    night = QuietHours(22 * 60, 7 * 60, (4,))
    assert [night.contain(day * DAY + 23 * 60) for day in range(7)] == [day == 4 for day in range(7)]
    assert [night.contain(day * DAY + 6 * 60) for day in range(7)] == [day == 5 for day in range(7)]
    sunday = QuietHours(22 * 60, 7 * 60, (6,))
    assert sunday.contain(6 * 60), "the night that begins on Sunday ends on Monday, in the next week"


@pytest.mark.parametrize("quiet_hours", [QuietHours(0, DAY), QuietHours(0, 720, (), (QuietSpan(720, DAY),))])
def test_all_day_is_every_minute(quiet_hours: QuietHours) -> None:
    assert all(map(quiet_hours.contain, range(WEEK)))
