from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import ActivationRow, DecisionRow, EventRow, OutcomeRow, ShopperRow
from policies.sends.stages import status_at
from policies.sends.status import SENT
from policies.shopper.context import rfm, segment, shared_context
from policies.shopper.fold import EVENT_WEIGHTS, fold
from policies.shopper.retention import KEPT, STRAY
from policies.shopper.state import NEW_SHOPPER, Send, ShopperState
from policies.shopper.summaries import Activity, favourite
from tests.factories import DAY_S, NOW, request, small_document
from tests.policies.rules.test_budget import decision
from tests.strategies import CHANNELS, moments, states, zones

MOST_BYTES = 80_000


def event(kind: str, at: float = NOW, **attributes: str | float) -> EventRow:
    return EventRow(at=at, shopper_id="s-1", type=kind, occurred_at=at, attributes=attributes)


def send(number: int, at: float, channel: str = "push") -> DecisionRow:
    row = decision(number, 0)
    return msgspec.structs.replace(row, at=at, send_at=at, channel=channel, category="browse")


def click(number: int, at: float) -> OutcomeRow:
    return OutcomeRow(at=at, event_id=f"e-{number}", type="click", occurred_at=at, shopper_id="s-1", channel="push")


def after(*rows: ShopperRow) -> ShopperState:
    state = NEW_SHOPPER
    for row in rows:
        state = fold(state, row)
    return state


@given(st.lists(st.integers(0, 10**9).map(float), max_size=300), zones, moments)
def test_the_shares_of_the_hours_sum_to_one_in_every_zone(times: list[float], zone: str, now: float) -> None:
    activity = Activity()
    for at in times:
        activity = activity.plus(at)
    offset = datetime.fromtimestamp(now, ZoneInfo(zone)).utcoffset() or timedelta()
    assert abs(sum(activity.share(hour, offset / timedelta(hours=1)) for hour in range(24)) - 1) < 1e-9
    assert min(activity.by_hour) >= 0


def test_the_profile_is_read_in_the_shoppers_own_hours() -> None:
    busy = Activity()
    for day in range(50):
        busy = busy.plus(day * DAY_S + 20 * 3_600.0)
    assert max(range(24), key=lambda hour: busy.share(hour, 5.5)) in (1, 2)


def test_segments_follow_what_the_shopper_did() -> None:
    names = [segment(after(event(kind)), NOW) for kind in ("page_view", "wishlist", "add_to_cart")]
    assert names == ["browser", "wish_lister", "cart_abandoner"]
    bought = [event("purchase", value=30.0)]
    assert [segment(after(*bought * n), NOW) for n in (1, 2, 5)] == ["first_buyer", "repeat_buyer", "loyal"]
    assert segment(after(*bought), NOW + 91 * DAY_S) == "lapsed"


def test_rfm_moves_with_recency_frequency_and_value() -> None:
    assert rfm(NEW_SHOPPER, NOW) == "000"
    small, large = after(event("purchase", value=10.0)), after(*[event("purchase", value=500.0)] * 12)
    assert (rfm(small, NOW), rfm(large, NOW), rfm(large, NOW + 200 * DAY_S)) == ("511", "555", "155")


def test_affinities_follow_weight_and_fade() -> None:
    state = after(*[event("product_view", category="shoes")] * 3, event("purchase", category="hats", product="Fedora"))
    assert (favourite(state.categories), favourite(state.products)) == ("hats", "Fedora")
    later = [event("purchase", category="coats")] * 30
    assert favourite(after(*later, *[event("purchase", category="bags")] * 30).categories) == "bags"


def test_the_context_holds_fatigue_and_responses(example_rulebook: Rulebook) -> None:
    state = after(send(1, NOW - 7 * DAY_S), click(1, NOW - 6.9 * DAY_S), send(2, NOW - 2 * DAY_S), send(3, NOW - DAY_S))
    context = shared_context(request(), state, example_rulebook)
    assert context["ignored_streak"] == 2
    assert context["hours_since_contact"] == 24.0
    load = sum(0.5 ** (days / 3.5) for days in (7, 2, 1))
    assert abs(float(context["load_push"]) - load) < 1e-9
    assert context["load"] == context["load_push"]
    assert float(context["click_rate_push"]) > float(context["click_rate_browse"]) * 0.99
    assert context["click_rate"] == (1 + 10 * 0.03) / 13
    assert "load_email" not in context


def test_the_zone_of_the_request_holds_before_the_shoppers_own(example_rulebook: Rulebook) -> None:
    state = ShopperState(time_zone="Europe/Madrid")
    hours = [
        shared_context(request(context=context), state, example_rulebook)["local_hour"]
        for context in ({}, {"time_zone": "Asia/Dubai"}, {"time_zone": "Mars/Base"})
    ]
    assert hours == [18.0, 21.0, 18.0]


def test_what_was_not_activated_has_not_reached_anyone(example_rulebook: Rulebook) -> None:
    waiting = after(msgspec.structs.replace(send(1, NOW - 600), deferred=True))
    known = shared_context(request(), waiting, example_rulebook)
    assert (known["load"], known["recent_sends"]) == (0.0, 0)
    activated = fold(waiting, ActivationRow(NOW - 500, "e-1", "s-1", deliver=True))
    known = shared_context(request(), activated, example_rulebook)
    assert (float(known["load"]) > 0.9, known["recent_sends"]) == (True, 1)


def test_responses_outlive_their_sends(example_rulebook: Rulebook) -> None:
    alone = after(send(1, NOW), click(1, NOW + 60))
    context = shared_context(request(now=NOW + 40 * DAY_S), alone, example_rulebook)
    assert context["click_rate_push"] == (1 + 10 * 0.03) / 11
    assert (context["load"], "hours_since_contact" in context) == (0.0, False)
    others = [send(number, NOW + (58 + number) * DAY_S) for number in range(2, STRAY + 3)]
    later = after(send(1, NOW), click(1, NOW + 60), *others)
    assert [kept.event_id for kept in later.sends] == [row.event_id for row in others]
    context = shared_context(request(now=others[-1].at), later, example_rulebook)
    assert context["click_rate_push"] == (1 + 10 * 0.03) / (11 + len(others))


things = st.sampled_from([*EVENT_WEIGHTS, "page_view", "session"])


@settings(max_examples=30)  # of 200 to 300 days each
@given(st.lists(st.tuples(things, st.text(min_size=1, max_size=300), st.integers(0, 400)), min_size=200, max_size=300))
def test_a_shoppers_state_never_grows_beyond_a_bound(did: list[tuple[str, str, int]]) -> None:
    state = NEW_SHOPPER
    for number, (kind, name, day) in enumerate(did):
        at = NOW + day * DAY_S
        state = fold(state, event(kind, at, category=name, product=name, value=1.0))
        for place, channel in enumerate(("push", "push", "push", name[:64])):
            state = fold(state, send(4 * number + place, at, channel=channel))
    assert len(state.sends) <= KEPT + len(did), "each channel keeps some sends"
    assert len(msgspec.msgpack.encode(state)) <= MOST_BYTES


def count_by(names: Sequence[str], sends: Sequence[Send]) -> dict[str, float]:
    """Return the click rates by name, straight from the definition: 10 sends before any with 3 % clicks."""
    clicks = Counter(name for name, send in zip(names, sends, strict=True) if send.clicked)
    return {name: (clicks[name] + 10.0 * 0.03) / (sent + 10.0) for name, sent in Counter(names).items()}


@given(st.data(), moments)
def test_the_context_of_sends_is_what_its_words_say(data: st.DataObject, now: float) -> None:
    state = msgspec.structs.replace(data.draw(states(now)), clicked_at=data.draw(st.sampled_from((None, now - 3_600))))
    asked = request(now=now, context={"time_zone": "UTC"})
    context = shared_context(asked, state, Rulebook.of(Catalogue.from_document(small_document()), 1))
    left = [send for send in state.sends if status_at(send, now) is SENT]
    lately = [send for send in left if send.send_at >= now - 31 * DAY_S]
    assert context["recent_sends"] == sum(send.send_at > now - 7 * DAY_S for send in state.sends if not send.deferred)
    assert context["ignored_streak"] == sum(send.send_at > (state.clicked_at or 0.0) for send in lately)
    assert context.get("hours_since_contact") == ((now - lately[-1].send_at) / 3_600 if lately else None)
    loads: dict[str, float] = {}
    for send in lately:
        loads[send.channel] = loads.get(send.channel, 0.0) + 0.5 ** ((now - send.send_at) / (84 * 3_600))
    assert {name: context.get(f"load_{name}") for name in CHANNELS} == {name: loads.get(name) for name in CHANNELS}
    assert context["load"] == sum(loads.values())
    rates = count_by([send.channel for send in left], left) | count_by([send.category for send in left], left)
    rates = {f"click_rate_{name}": rate for name, rate in rates.items()}
    assert {name: value for name, value in context.items() if name.startswith("click_rate_")} == rates
