"""The numbers about a shopper: what they say by their definitions, and what does not matter for them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import DecisionRow, ShopperRow
from policies.records.shopper_numbers import ShopperNumbers
from policies.shopper.fold import apply, fold
from policies.shopper.history import LOAD_HALF_LIFE_S, SendHistory
from policies.shopper.numbers import TOPIC_HALF_LIFE_S, shopper_numbers
from policies.shopper.state import HORIZON_S, NEW_SHOPPER, Send, ShopperState
from policies.shopper.summaries import Activity
from tests.factories import (
    DAY_S,
    NOW,
    WINDOW_S,
    activation_row,
    cancellation_row,
    event_row,
    outcome_row,
    request,
    send_row,
    small_document,
    trigger,
)
from tests.strategies import CHANNELS, MESSAGES

HOUR_S = 3_600.0
DELAYS_S = (0, 5_400, 43_200, 172_800)
BOOK = Rulebook.of(Catalogue.from_document(small_document(delays_s=list(DELAYS_S))), 1)
TOPICS = ("shoes", "hats")
TOLERANCE = 0.000501
"""Numbers are rounded to three decimals."""


def numbers_at(state: ShopperState, now: float, *topics: str) -> ShopperNumbers:
    """Return the numbers for a request about products of some categories."""
    triggers = [trigger(attributes={"category": topic}) for topic in topics]
    return shopper_numbers(request(*triggers, event_id="own", now=now), state, BOOK)


def after(*rows: ShopperRow) -> ShopperState:
    state = NEW_SHOPPER
    for row in rows:
        state = fold(state, row)
    return state


p_clicks = st.none() | st.floats(0.0, 1.0) | st.sampled_from((0.1, 0.3))


@st.composite
def send_rows(draw: st.DrawFn, number: int, at: float) -> DecisionRow:
    message = draw(st.sampled_from(sorted(MESSAGES)))
    topic = draw(st.sampled_from((*TOPICS, None)))
    return send_row(
        draw(st.sampled_from(("e-0", "own"))) if number == 0 else f"e-{number}",
        at=at,
        send_at=at + draw(st.sampled_from((0.0, HOUR_S, DAY_S, 3 * DAY_S))),
        message=message,
        category=MESSAGES[message],
        channel=draw(st.sampled_from(CHANNELS)),
        p_click=draw(p_clicks),
        triggers=(trigger(attributes={} if topic is None else {"category": topic}),),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[ShopperRow]:
    """Sends of the last weeks and of the next days, and what became of some of them."""
    rows: list[ShopperRow] = []
    for number in range(draw(st.integers(0, 6))):
        at = NOW - draw(st.integers(0, 24 * 4) | st.integers(0, 24 * 40)) * HOUR_S
        row = draw(send_rows(number, at))
        rows.append(msgspec.structs.replace(row, deferred=draw(st.booleans())))
        rows += draw(
            st.sampled_from(
                (
                    (),
                    (outcome_row("click", row.event_id, at=at, channel=row.channel),),
                    (activation_row(row.event_id, at=at, left_at=at),),
                    (cancellation_row(row.event_id, at=at),),
                )
            )
        )
    return rows


# -- what the numbers say --------------------------------------------------------------------------------------------


def felt(sends: Iterable[Send], at: float, half_life_s: float) -> float:
    """Return how many sends are felt at a time, straight from the definition."""
    return sum(
        math.pow(0.5, (at - send.send_at) / half_life_s) for send in sends if NOW - HORIZON_S <= send.send_at <= at
    )


def surplus(sends: Sequence[Send]) -> float:
    """Return log((clicks + 1) ÷ (expected clicks + 1)), straight from the definition."""
    counted = [
        (send.p_click, send.clicked)
        for send in sends
        if send.p_click is not None and send.window_ends_at is not None and send.window_ends_at <= NOW
    ]
    clicks, expected = sum(clicked for _, clicked in counted), sum(p_click for p_click, _ in counted)
    return math.log((clicks + 1) / (expected + 1))


@given(histories())
def test_the_numbers_of_sends_are_what_their_words_say(rows: list[ShopperRow]) -> None:
    state = after(*rows)
    numbers = numbers_at(state, NOW, *TOPICS)
    left = [send for send in state.sends if send.has_left(NOW)]
    placed = [
        send for send in state.sends if send.has_left(NOW) or (send.event_id != "own" and not send.has_expired(NOW))
    ]
    for number, delay_s in enumerate(DELAYS_S):
        assert numbers.load[number] == pytest.approx(felt(placed, NOW + delay_s, LOAD_HALF_LIFE_S), abs=TOLERANCE)
        for topic in TOPICS:
            expected = felt(
                [send for send in placed if send.product_category == topic], NOW + delay_s, TOPIC_HALF_LIFE_S
            )
            load = numbers.topic_load.get(topic, (0.0,) * len(DELAYS_S))[number]
            assert load == pytest.approx(expected, abs=TOLERANCE)
    assert numbers.own_rate == pytest.approx(surplus(left), abs=TOLERANCE)
    for channel in CHANNELS:
        of_slot = surplus([send for send in left if send.channel == channel])
        assert numbers.own_channel.get(channel, 0.0) == pytest.approx(of_slot, abs=TOLERANCE)
    for category in MESSAGES.values():
        of_slot = surplus([send for send in left if send.category == category])
        assert numbers.own_category.get(category, 0.0) == pytest.approx(of_slot, abs=TOLERANCE)


@given(st.sets(st.integers(0, 24 * 60), max_size=60), st.integers(0, 7 * 24))
def test_presence_is_what_its_words_say(hours_ago: set[int], hours_ahead: int) -> None:
    times = [NOW - hours * HOUR_S for hours in sorted(hours_ago, reverse=True)]
    state = after(*(event_row(at=at) for at in times))
    now = NOW + hours_ahead * HOUR_S
    presence = numbers_at(state, now).presence
    active = [datetime.fromtimestamp(at, UTC) for at in times]
    by_hour, on_weekends = Counter(at.hour for at in active), sum(at.weekday() >= 5 for at in active)
    expected = []
    for delay_s in DELAYS_S:
        at = datetime.fromtimestamp(now + delay_s, UTC)
        around = {-2: 0.1, -1: 0.2, 0: 0.4, 1: 0.2, 2: 0.1}
        smooth = sum(weight * by_hour[(at.hour + away) % 24] for away, weight in around.items())
        of_hour = (smooth + 10 / 24) / (len(times) + 10) * 24
        weekend = (on_weekends + 6 * 2 / 7) / (len(times) + 6)
        of_day = weekend / (2 / 7) if at.weekday() >= 5 else (1 - weekend) / (5 / 7)
        expected.append(math.log(of_hour * of_day))
    assert presence == pytest.approx(expected if times else [], abs=TOLERANCE)


def test_an_hour_counts_once_however_much_happens_in_it() -> None:
    busy = Activity()
    for second in (0.0, 1.0, 3_599.0, 3_600.0, 7_199.0):
        busy = busy.plus(NOW + second)
    assert sum(busy.by_hour) == 2.0


def test_a_long_history_fades_and_its_weekends_with_it() -> None:
    busy = Activity()
    for day in range(400):
        busy = busy.plus(NOW + day * DAY_S)
        assert busy.on_weekends <= sum(busy.by_hour) <= 200
    assert busy.on_weekends / sum(busy.by_hour) == pytest.approx(2 / 7, abs=0.01)


def test_affinity_is_the_share_of_the_interest_in_the_products_of_the_request() -> None:
    bought = [
        event_row("purchase", attributes={"category": "shoes"}),
        event_row("wishlist", attributes={"category": "hats"}),
    ]
    assert numbers_at(after(*bought), NOW, "shoes", "coats").affinity == {"shoes": round(6 / 9, 3)}
    long_name = "x" * 300
    seen = after(event_row("product_view", attributes={"category": long_name}))
    assert numbers_at(seen, NOW, long_name).affinity == {long_name: 1.0}


def test_of_an_unknown_shopper_every_number_is_zero() -> None:
    assert numbers_at(NEW_SHOPPER, NOW, "shoes") == ShopperNumbers(load=(0.0,) * len(DELAYS_S))


# -- what counts, and from when on -----------------------------------------------------------------------------------


@given(st.booleans(), st.sampled_from((-1e-3, 0.0, 1e-3)), st.booleans())
def test_a_send_and_its_click_count_from_the_end_of_its_window_on(clicked: bool, late_s: float, reported: bool) -> None:
    rows: list[ShopperRow] = [send_row("e-1", p_click=0.5)]
    rows += [outcome_row("click", "e-1", at=NOW + 60)] if clicked else []
    rows += [event_row(at=NOW + WINDOW_S)] if reported else []  # the clock of the request decides, not the log's
    numbers = numbers_at(after(*rows), NOW + WINDOW_S + late_s)
    surplus_then = round(math.log((1 + clicked) / 1.5), 3) if late_s >= 0 else 0.0
    assert numbers.own_rate == surplus_then
    assert numbers.own_channel == ({"push": surplus_then} if surplus_then else {})
    assert numbers.own_category == ({"browse": surplus_then} if surplus_then else {})


@pytest.mark.parametrize(
    "rows",
    [
        [send_row("e-1"), outcome_row("click", "e-1")],  # nothing was predicted
        [send_row("e-1", p_click=0.5, deferred=True)],  # it was never activated
        [send_row("e-1", p_click=0.5), cancellation_row("e-1")],
        [send_row("e-1", p_click=0.5, send_at=None)],
        [send_row("e-1", p_click=0.5, window_ends_at=None)],
    ],
)
def test_what_does_not_count(rows: list[ShopperRow]) -> None:
    assert numbers_at(after(*rows), NOW + 2 * WINDOW_S).own_rate == 0.0


def test_a_click_that_nobody_expected_counts() -> None:
    numbers = numbers_at(after(send_row("e-1", p_click=0.0), outcome_row("click", "e-1")), NOW + WINDOW_S)
    surplus_then = round(math.log(2.0), 3)
    assert numbers.own_rate == surplus_then
    assert (numbers.own_channel, numbers.own_category) == ({"push": surplus_then}, {"browse": surplus_then})


def test_a_click_by_a_machine_is_none() -> None:
    sent = send_row("e-1", p_click=0.5)
    state = after(sent, outcome_row("click", "e-1", machine=True))
    assert numbers_at(state, NOW + WINDOW_S).own_rate == round(math.log(1 / 1.5), 3)


# -- what does not matter --------------------------------------------------------------------------------------------


@st.composite
def long_histories(draw: st.DrawFn) -> list[ShopperRow]:
    """So many sends over so long a time that the state cannot keep all of them."""
    rows: list[ShopperRow] = []
    at = NOW
    for number in range(draw(st.integers(28, 34))):
        at += draw(st.integers(4 * 24, 8 * 24)) * HOUR_S
        row = draw(send_rows(number + 1, at))
        rows.append(row)
        if draw(st.booleans()):
            clicked_at = at + draw(st.sampled_from((0.0, 2 * HOUR_S, 5 * DAY_S)))
            rows.append(outcome_row("click", row.event_id, at=clicked_at, channel=row.channel))
    return sorted(rows, key=lambda row: row.at)


@settings(max_examples=40)
@given(long_histories(), st.integers(0, 20 * 24))
def test_what_the_state_forgets_changes_no_number(rows: list[ShopperRow], hours: int) -> None:
    whole = NEW_SHOPPER
    for row in rows:
        whole = apply(whole, row)
    kept, now = after(*rows), rows[-1].at + hours * HOUR_S
    assert len(kept.sends) < len(whole.sends)
    assert numbers_at(kept, now, *TOPICS) == numbers_at(whole, now, *TOPICS)


@given(histories(), histories(), st.randoms(use_true_random=False))
def test_rows_about_other_shoppers_change_no_number(
    mine: list[ShopperRow], others: list[ShopperRow], chance: Random
) -> None:
    states = {"mine": NEW_SHOPPER, "other": NEW_SHOPPER}
    left = {"mine": list(mine), "other": list(others)}
    while any(left.values()):
        name = chance.choice([name for name, rows in left.items() if rows])
        states[name] = fold(states[name], left[name].pop(0))
    assert numbers_at(states["mine"], NOW, *TOPICS) == numbers_at(after(*mine), NOW, *TOPICS)


@given(st.permutations([0.1, 0.3, 1 / 3, 0.7, 0.9999]), st.integers(0, 5))
def test_expected_clicks_are_the_same_sum_in_any_order(p_clicks: list[float], split: int) -> None:
    """The state forgets sends in another order than that in which they are counted."""
    rows = [send_row(f"e-{number}", at=NOW + number, p_click=p_click) for number, p_click in enumerate(p_clicks)]
    now = NOW + DAY_S
    in_order = SendHistory.of(after(*(send_row(f"e-{p}", p_click=p) for p in sorted(p_clicks))), now).by_channel
    early = SendHistory.of(after(*rows[:split]), now).by_channel
    continued = SendHistory.of(msgspec.structs.replace(after(*rows[split:]), by_channel=dict(early)), now).by_channel
    assert continued == in_order


@given(histories())
def test_a_stored_state_gives_the_same_numbers(rows: list[ShopperRow]) -> None:
    state = after(*rows)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=ShopperState)
    assert stored == state
    assert numbers_at(stored, NOW, *TOPICS) == numbers_at(state, NOW, *TOPICS)


@given(histories())
def test_numbers_survive_the_row_that_holds_them(rows: list[ShopperRow]) -> None:
    numbers = numbers_at(after(*rows), NOW, *TOPICS)
    assert numbers == numbers.round_off()
    assert msgspec.json.decode(msgspec.json.encode(numbers), type=ShopperNumbers) == numbers
