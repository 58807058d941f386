"""The audit finds sends for triggers that have ended."""

from __future__ import annotations

from typing import Any

import pytest

from policies.records.rows import Row
from tests.factories import NOW
from tests.reference.planted.log_by_hand import HOUR, LogByHand

ENDS: dict[str, Any] = {"ends_on": ("purchase",), "occurred_at": NOW - HOUR}


@pytest.mark.parametrize("critical", [False, True])
def test_a_send_for_a_trigger_that_has_ended_is_found(critical: bool) -> None:
    log = LogByHand()
    log.observe("purchase", NOW - HOUR / 2)
    log.send("late", NOW, critical=critical, **ENDS)
    assert log.violations == [("late", "expired")]


def test_an_order_that_is_credited_to_a_send_ends_triggers_too() -> None:
    log = LogByHand()
    log.send("first", NOW - 2 * HOUR)
    log.report("conversion", "first", NOW - HOUR / 2)
    log.send("late", NOW, **ENDS)
    assert log.violations == [("late", "expired")]


def test_a_trigger_without_a_time_occurred_when_it_was_decided() -> None:
    log = LogByHand()
    log.observe("purchase", NOW)
    log.send("at-once", NOW, ends_on=("purchase",))
    assert log.violations == []
    log.observe("purchase", NOW + 1)
    log.send("late", NOW, ends_on=("purchase",))
    assert log.violations == [("late", "expired")]


@pytest.mark.parametrize(
    ("kind", "occurred_at"), [("purchase", NOW - HOUR), ("purchase", NOW - 2 * HOUR), ("product_view", NOW)]
)
def test_an_event_before_the_trigger_or_of_another_type_ends_nothing(kind: str, occurred_at: float) -> None:
    log = LogByHand(min_gap_s=60)
    log.send("ahead", NOW, delay_s=3_600, **ENDS)
    log.observe(kind, NOW + 1, occurred_at)
    log.send("too-close", NOW + HOUR, **ENDS)
    assert log.violations == [("too-close", "min_gap")]


def test_a_send_ahead_that_was_superseded_has_no_place_and_may_not_leave() -> None:
    log = LogByHand(min_gap_s=60)
    log.send("ahead", NOW, delay_s=3_600, **ENDS)
    log.observe("purchase", NOW + 1)
    assert log.places == set()
    log.send("other", NOW + HOUR, message="hint")
    assert log.violations == []
    log.open_gate("ahead", NOW + HOUR)
    assert log.violations == [("ahead", "activated_without_a_reservation")]


def test_a_send_for_another_trigger_stays() -> None:
    log = LogByHand(min_gap_s=60)
    log.send("ahead", NOW, message="hint", delay_s=3_600)
    log.observe("purchase", NOW + 1)
    log.send("too-close", NOW + HOUR)
    assert log.violations == [("too-close", "min_gap")]


def test_a_send_that_was_due_when_its_trigger_ended_keeps_its_place_and_may_not_leave() -> None:
    log = LogByHand(min_gap_s=60)
    log.send("due", NOW, deferred=True, **ENDS)
    log.observe("purchase", NOW + 1)
    log.send("too-close", NOW + 59)
    assert log.violations == [("too-close", "min_gap")]
    log.rows.pop()
    log.open_gate("due", NOW + 2)
    assert log.violations == [("due", "activated_against_expired")]


def test_a_send_that_has_left_is_not_superseded() -> None:
    log = LogByHand(min_gap_s=60)
    log.send("left", NOW, delay_s=3_600, **ENDS)
    log.open_gate("left", NOW + 10)
    log.observe("purchase", NOW + 11)
    log.send("too-close", NOW + 69)
    assert log.violations == [("too-close", "min_gap")]


def test_the_cost_of_a_superseded_send_is_spent_no_more() -> None:
    def spend(*between: Row) -> list[tuple[str, str]]:
        log = LogByHand(channels={"push": {"daily_budget": 0.9}})
        log.send("ahead", NOW, delay_s=3_600, **ENDS)
        log.rows += between
        log.send("next", NOW + 2, message="hint")
        return log.violations

    ending = LogByHand()
    ending.observe("purchase", NOW + 1)
    assert spend() == [("next", "budget")]
    assert spend(ending.rows[-1]) == []
