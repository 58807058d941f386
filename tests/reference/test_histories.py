"""Random histories of a shop: the audit of its log finds no violation."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.models.rule import rule_policy
from policies.models.uniform import uniform_policy
from policies.records.quiet_hours import QuietHours, QuietSpan
from tests.reference.auditor import Auditor, audit
from tests.reference.shop import Shop
from tests.strategies import QUARTER_S, ZONES, catalogues, moments, rule_sets

SHOPPERS = ("s-1", "s-2")

PREFERENCES: tuple[dict[str, Any], ...] = (
    {"consent": {"push": True}},
    {"consent": {"push": False, "email": True}},
    {"consent": {"push": True, "email": True, "sms": True}},
    {"reachable": {"sms": False}},
    {"reachable": {"sms": True}},
    {"muted_categories": ("cart",)},
    {"muted_categories": ()},
    {"max_per_week": 2},
    {"max_per_week": None},
    {"quiet_hours": QuietHours(1_320, 420)},
    {"quiet_hours": QuietHours(0, 1_440, (5, 6), (QuietSpan(1_200, 480),))},
    {"quiet_hours": None},
    *({"time_zone": zone} for zone in ZONES[:4]),
)
ASKED = (("left",), ("left",), ("dropped",), ("left", "dropped"), ("urgent", "left"))
STEPS = {"decide": 8, "defer": 2, "click": 1, "bounce": 1, "opt_out": 0.3, "prefer": 1, "activate": 2, "cancel": 1}


def live(shop: Shop, begin: float, seed: int, steps: int) -> None:
    """Let a random history happen, with some quarters of an hour between two steps."""
    chance, now, waiting = random.Random(seed), begin, [""]
    for what in chance.choices(list(STEPS), list(STEPS.values()), k=steps):
        now += chance.choice((0, 1, 1, 2, 4, 24)) * QUARTER_S
        shopper_id, last = chance.choice(SHOPPERS), waiting[chance.randrange(len(waiting))]
        if what in ("decide", "defer"):
            asked = [shop.trigger(kind, now) for kind in chance.choice(ASKED)]
            row = shop.decide(shopper_id, asked, now, deferred=what == "defer")
            waiting += [row.event_id] * row.is_delivered
        elif what == "prefer":
            shop.prefer(shopper_id, now, **chance.choice(PREFERENCES))
        elif last and what in ("click", "bounce", "opt_out"):
            shop.record_outcome(last, what, now)
        elif last and shop.decisions[last].is_delivered:
            waiting.remove(last)
            shop.activate(last, now) if what == "activate" else shop.cancel(last, now)


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    policy = rule_policy(epsilon=0.1) if draw(st.booleans()) else uniform_policy()
    return Shop(draw(catalogues(draw(rule_sets))), policy, seed=str(draw(st.integers(0, 999))).encode())


@settings(max_examples=60)
@given(shops(), moments, st.integers(0, 10**6), st.integers(1, 80))
def test_no_history_leads_to_a_log_that_the_audit_rejects(shop: Shop, begin: float, seed: int, steps: int) -> None:
    live(shop, begin, seed, steps)
    event(f"{len(shop.sent) // 5 * 5} sends or more")
    auditor = audit(shop.log)
    assert auditor.violations == []
    assert reservations_of_the_fold(shop) == reservations_of_the_log(shop, auditor)


Reservations = dict[str, set[tuple[object, ...]]]


def reservations_of_the_fold(shop: Shop) -> Reservations:
    reservations: Reservations = {
        shopper_id: {
            (send.event_id, send.send_at, send.message, send.channel, send.deferred)
            for send in state.sends
            if not send.critical and not send.has_expired(shop.now)
        }
        for shopper_id, state in shop.states.items()
    }
    return {shopper_id: sends for shopper_id, sends in reservations.items() if sends}


def reservations_of_the_log(shop: Shop, auditor: Auditor) -> Reservations:
    return {
        shopper_id: {(one.event_id, one.send_at, one.message, one.channel, one.waits) for one in sends}
        for shopper_id, sends in auditor.reservations(shop.now).items()
    }


@given(
    st.integers(0, 999),
    st.integers(1, 8),
    st.integers(0, 16),
    st.sampled_from((("left",), ("dropped",), ("left", "dropped"), ("dropped", "left"))),
    st.sampled_from((("left",), ("dropped",), ("left", "dropped"))),
)
def test_overlapping_triggers_never_make_two_sends_inside_the_suppression_window(
    seed: int, quarters: int, later: int, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    window_s = quarters * QUARTER_S
    shop = Shop(
        two_categories(suppression=[{"after": "cart", "blocks": "price", "window_s": window_s}]), seed=b"%d" % seed
    )
    begin = 1_795_280_400.0
    for triggers, now in ((first, begin), (second, begin + later * 300.0)):
        shop.decide("s-1", [shop.trigger(kind, now) for kind in triggers], now)
    assert len(shop.sent) <= 2
    carts = [row.send_at or 0 for row in shop.sent if row.category == "cart"]
    prices = [row.send_at or 0 for row in shop.sent if row.category == "price"]
    assert not [(cart, price) for cart in carts for price in prices if cart <= price < cart + window_s]


def two_categories(**changes: Any) -> dict[str, Any]:
    templates = {"push": {"en": {"body": "B"}}}
    document: dict[str, Any] = {
        "delays_s": [0, 900, 3_600],
        "channels": {"push": {"attribution_window_s": 14_400}},
        "triggers": {"left": {"priority": 2, "expires_s": 172_800}, "dropped": {"priority": 2, "expires_s": 172_800}},
        "messages": {
            "reminder": {"category": "cart", "triggers": ["left"], "templates": templates},
            "alert": {"category": "price", "triggers": ["dropped"], "templates": templates},
        },
    }
    return document | changes
