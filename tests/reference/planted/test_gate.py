"""The audit finds answers of the gate that break a rule at the moment at which the send leaves."""

from __future__ import annotations

from typing import Any

import pytest

from policies.records.rows import ActivationRow
from tests.factories import DAY_S, NOW
from tests.reference.planted.log_by_hand import HOUR, LogByHand

LATER: dict[str, Any] = {"delay_s": 7_200, "deferred": True}
"""Planned for 19:00, for a shopper in UTC."""


def quiet_from(begin: str, end: str) -> dict[str, Any]:
    return {"channels": {"push": {"quiet_hours": {"from": begin, "to": end}}}}


def test_a_send_that_leaves_early_is_judged_by_the_moment_at_which_it_leaves() -> None:
    log = LogByHand(**quiet_from("17:30", "18:30"))
    log.send("early", NOW, **LATER)
    log.open_gate("early", NOW + HOUR)
    assert log.violations == [("early", "activated_against_quiet_hours")]
    log.rows.pop()
    log.open_gate("early", NOW + HOUR / 2 - 1)
    assert log.violations == []


def test_a_row_of_an_earlier_version_let_its_send_leave_at_the_planned_time() -> None:
    log = LogByHand(**quiet_from("17:30", "18:30"), min_gap_s=60)
    log.send("early", NOW, **LATER)
    log.rows.append(ActivationRow(NOW + HOUR, "early", "s-1", deliver=True))
    log.send("too-close", NOW + 2 * HOUR)
    assert log.violations == [("too-close", "min_gap")]


def test_a_send_that_left_early_counts_from_there() -> None:
    log = LogByHand(min_gap_s=60)
    log.send("early", NOW, **LATER)
    log.open_gate("early", NOW + HOUR)
    log.send("at-the-planned-time", NOW + 2 * HOUR)
    assert log.violations == []
    log.send("too-close", NOW + HOUR + 59)
    assert log.violations == [("too-close", "min_gap")]


def test_a_send_that_would_leave_too_close_to_another_is_found() -> None:
    log = LogByHand(min_gap_s=60)
    log.send("other", NOW + HOUR)
    log.send("early", NOW, **LATER)
    log.open_gate("early", NOW + HOUR + 59)
    assert log.violations == [("early", "activated_against_min_gap")]


@pytest.mark.parametrize("calendar", ["day", "month"])
def test_a_send_counts_in_the_calendar_period_in_which_it_leaves(calendar: str) -> None:
    evening = NOW + 9 * DAY_S + 6 * HOUR  # 30 November, 23:00
    log = LogByHand(caps=[{"max": 1, "calendar": calendar}])
    log.send("today", evening - HOUR)
    log.send("planned-for-tomorrow", evening, **LATER)
    assert log.violations == []
    log.open_gate("planned-for-tomorrow", evening + 60)
    assert log.violations == [("planned-for-tomorrow", "activated_against_cap_global")]


def test_the_budget_of_the_planned_day_pays_for_a_send_that_leaves_early() -> None:
    evening = NOW + 6 * HOUR
    log = LogByHand(channels={"push": {"daily_budget": 0.9}})
    log.send("early", evening, **LATER)
    log.open_gate("early", evening + 60)
    log.send("today", evening + 120)
    assert log.violations == []
    log.send("tomorrow", evening + 3 * HOUR)
    assert log.violations == [("tomorrow", "budget")]


@pytest.mark.parametrize("left_at", [NOW + HOUR - 1, NOW + 2 * HOUR])
def test_a_row_that_says_that_the_send_left_at_another_time_is_found(left_at: float) -> None:
    log = LogByHand()
    log.send("early", NOW, **LATER)
    log.open_gate("early", NOW + HOUR, left_at)
    assert log.violations == [("early", "left_at_another_time")]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_a_second_answer_in_the_log_is_found(first: bool, second: bool) -> None:
    log = LogByHand()
    log.send("asked", NOW, **LATER)
    for number, deliver in enumerate((first, second)):
        log.open_gate("asked", NOW + number) if deliver else log.close_gate("asked", NOW + number)
    assert log.violations == [("asked", "answered_twice")]


@pytest.mark.parametrize("words", [{"consent": {"push": False}}, {"subscribed": False}])
def test_a_withdrawal_voids_no_send_that_has_left_early(words: dict[str, Any]) -> None:
    log = LogByHand()
    log.send("early", NOW, delay_s=7_200)
    log.send("ahead", NOW, message="hint", delay_s=43_200)
    log.open_gate("early", NOW + 60)
    log.prefer(NOW + 61, **words)
    assert log.places == {"early"}


def test_a_send_that_has_expired_by_the_planned_time_may_not_leave() -> None:
    log = LogByHand()
    log.send("late", NOW, **LATER)
    log.open_gate("late", NOW + 3 * HOUR + 1)
    assert log.violations == [("late", "activated_too_late")]
