from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.records.rows import (
    ACTIVATION_GRACE_S,
    DecisionRow,
    ShopperRow,
)
from policies.sends.life import status_of
from policies.sends.stages import status_at
from policies.sends.status import EXPIRED, SENT
from policies.shopper.context import segment
from policies.shopper.fold import fold
from policies.shopper.retention import KEPT, STRAY
from policies.shopper.state import NEW_SHOPPER, ShopperState
from tests.factories import (
    DAY_S,
    NOW,
    activation_row,
    erasure_row,
    event_row,
    outcome_row,
    preferences_row,
    refusal_row,
    send_row,
)


def decision(event_id: str = "e-1", **changes: Any) -> DecisionRow:
    """A send without an attribution window."""
    return send_row(event_id, **{"window_ends_at": None} | changes)


def after(*rows: ShopperRow) -> ShopperState:
    state = NEW_SHOPPER
    for row in rows:
        state = fold(state, row)
    return state


def test_a_send_takes_a_place_and_a_hold_takes_none() -> None:
    assert [send.event_id for send in after(decision()).sends] == ["e-1"]
    assert after(decision(send_at=None)) == NEW_SHOPPER


def test_a_bounce_gives_the_place_back() -> None:
    assert after(decision(), outcome_row("bounce")).sends == ()


WITH_WINDOW = msgspec.structs.replace(decision(), window_ends_at=NOW + 60)


@pytest.mark.parametrize(
    ("row", "stays"),
    [
        (outcome_row("bounce", at=NOW + 59), False),
        (outcome_row("bounce", at=NOW + 60), True),
        (outcome_row("bounce", occurred_at=NOW + 60), True),
        (refusal_row(at=NOW + 59), False),
        (refusal_row(at=NOW + 60), True),
    ],
)
def test_what_comes_after_the_window_gives_no_place_back(row: ShopperRow, stays: bool) -> None:
    assert bool(after(WITH_WINDOW, row).sends) is stays
    assert status_of(WITH_WINDOW, [(2, row)], NOW + 100).status.counts_as_sent is stays


def test_one_that_waits_is_refused_also_after_its_window() -> None:
    waiting = msgspec.structs.replace(WITH_WINDOW, deferred=True)
    assert after(waiting, refusal_row(at=NOW + 61)).sends == ()


@pytest.mark.parametrize(("asked_at", "leaves_at"), [(NOW - 60, NOW), (NOW, NOW), (NOW + 3_000, NOW + 3_000)])
@pytest.mark.parametrize("deferred", [True, False])
def test_a_send_leaves_when_it_was_activated_but_not_before_its_time(
    asked_at: float, leaves_at: float, deferred: bool
) -> None:
    (send,) = after(decision(deferred=deferred), activation_row(at=asked_at)).sends
    assert (send.send_at, send.deferred) == (leaves_at, False)


def test_an_opt_out_voids_the_other_sends_ahead_on_its_channel() -> None:
    rows = (
        decision("past", send_at=NOW - 60),
        decision("own", send_at=NOW + 60),
        decision("ahead", send_at=NOW + 60),
        decision("elsewhere", channel="email", send_at=NOW + 60),
    )
    state = after(*rows, outcome_row("opt_out", "own"))
    assert [send.event_id for send in state.sends] == ["past", "elsewhere", "own"]
    assert state.consent == {"push": False}


def test_a_withdrawal_by_preferences_voids_every_send_ahead() -> None:
    state = after(decision(send_at=NOW + 60), preferences_row(consent={"push": False}))
    assert state.sends == ()
    again = fold(state, preferences_row(at=NOW + 1, consent={"push": True}))
    assert again.consent == {"push": True}
    assert again.sends == ()


def test_absent_preferences_keep_their_value() -> None:
    state = after(
        preferences_row(consent={"push": False}, time_zone="Europe/Madrid", locale="es"),
        preferences_row(consent={"email": True}),
    )
    assert state.consent == {"push": False, "email": True}
    assert (state.time_zone, state.locale) == ("Europe/Madrid", "es")


def test_purchases_give_recency_frequency_and_value() -> None:
    bought = [event_row("purchase", occurred_at=NOW - days * DAY_S, attributes={"value": 10.0}) for days in (1, 9, 3)]
    state = after(*bought)
    assert (state.purchases.count, state.purchases.value, state.purchases.last_at) == (3, 30.0, NOW - DAY_S)
    assert segment(state, NOW) == "repeat_buyer"
    assert segment(state, NOW + 100 * DAY_S) == "lapsed"


def test_sends_that_no_rule_reaches_are_forgotten_and_the_state_stays_bounded() -> None:
    days = (0, 46, 46.1, *range(47, 47 + STRAY))
    state = after(*(decision(f"day {day}", send_at=NOW + day * DAY_S, at=NOW + day * DAY_S) for day in days))
    assert [send.event_id for send in state.sends] == [f"day {day}" for day in days[1:]]
    assert len(after(*(decision(f"e-{number}") for number in range(600))).sends) == KEPT


distant_days = st.sampled_from((-400, -60, 60, 62, 400))


def distant(number: int, day: int) -> DecisionRow:
    return decision(f"far-{number}", at=NOW + day * DAY_S, send_at=NOW + day * DAY_S)


@given(st.lists(st.floats(-31 * DAY_S, 14 * DAY_S), max_size=8), st.lists(distant_days, max_size=STRAY), st.data())
def test_rows_of_a_distant_date_take_no_place_of_today(
    offsets: list[float], days: list[int], data: st.DataObject
) -> None:
    rows: list[ShopperRow] = [decision(f"e-{number}", send_at=NOW + at) for number, at in enumerate(offsets)]
    far: list[ShopperRow] = [
        *(distant(number, day) for number, day in enumerate(days)),
        event_row(at=NOW + 40 * DAY_S, occurred_at=NOW),
        preferences_row(at=NOW + 400 * DAY_S, consent={"push": True}),
    ]
    taken = after(*data.draw(st.permutations([*rows, *far]))).sends
    assert {send for send in taken if not send.event_id.startswith("far")} == set(after(*rows).sends)
    assert len(after(*rows).sends) == len(rows)


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_sends_does_not_matter(order: list[str]) -> None:
    rows = {name: decision(name, send_at=NOW + position) for position, name in enumerate("abcd")}
    assert after(*(rows[name] for name in order)).sends == after(*rows.values()).sends


def test_an_erased_shopper_keeps_nothing_not_even_when_last_seen() -> None:
    late = event_row(at=NOW + DAY_S, occurred_at=NOW)
    assert after(decision(), late, erasure_row()) == ShopperState(erased=True, seen_at=NOW, withheld={"consent": NOW})


def test_a_repeated_decision_takes_one_place() -> None:
    assert len(after(decision(), decision()).sends) == 1


def test_a_state_survives_being_stored() -> None:
    state = after(decision(), event_row("purchase", attributes={"value": 3}), preferences_row(consent={"sms": True}))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=ShopperState) == state


@given(st.sampled_from((-2.0, -1.0, 0.0, 1.0)), st.sampled_from((0.0, 1e-3)), st.booleans())
def test_a_send_has_left_or_expired_as_its_status_says(graces: float, late_s: float, deferred: bool) -> None:
    send_at = NOW + graces * ACTIVATION_GRACE_S + late_s
    (send,) = after(decision(send_at=send_at, deferred=deferred)).sends
    status = status_at(send, NOW)
    assert (send.has_left(NOW), send.has_expired(NOW)) == (status is SENT, status is EXPIRED)
