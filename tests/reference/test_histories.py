"""Random histories of a shop: the audit of its log finds no violation."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.models.rule import rule_policy
from policies.models.uniform import uniform_policy
from policies.records.quiet_hours import QuietHours, QuietSpan
from policies.records.rows import EventRow
from tests.reference.auditor import Auditor, audit
from tests.reference.renames import rename
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
STEPS = {
    **{"decide": 8, "defer": 2, "activate": 2, "cancel": 1, "prefer": 1},
    **{"click": 1, "bounce": 1, "lasting_bounce": 0.3, "opt_out": 0.3, "conversion": 0.5},
    **{"purchase": 0.5, "product_view": 0.5, "rename": 0.5},
}


def live(shop: Shop, begin: float, seed: int, steps: int) -> None:
    """Let a random history happen, with some quarters of an hour between two steps."""
    chance, now, waiting = random.Random(seed), begin, [""]
    for what in chance.choices(list(STEPS), list(STEPS.values()), k=steps):
        now += chance.choice((0, 1, 1, 2, 4, 24)) * QUARTER_S
        shopper_id, last = chance.choice(SHOPPERS), waiting[chance.randrange(len(waiting))]
        if what in ("decide", "defer"):
            began = now - chance.choice((0, 0, 1, 8)) * QUARTER_S
            asked = [shop.trigger(kind, began, occurred_at=began) for kind in chance.choice(ASKED)]
            row = shop.decide(shopper_id, asked, now, deferred=what == "defer")
            waiting += [row.event_id] * row.is_delivered
        elif what == "prefer":
            shop.prefer(shopper_id, now, **chance.choice(PREFERENCES))
        elif what in ("purchase", "product_view"):
            shop.observe(shopper_id, what, now, now - chance.choice((0, 0, 1, 4)) * QUARTER_S)
        elif what == "rename":
            rename_something(shop, now, chance)
        elif last and what == "lasting_bounce":
            shop.record_outcome(last, "bounce", now, permanent=True)
        elif last and what in ("click", "bounce", "opt_out", "conversion"):
            shop.record_outcome(last, what, now)
        elif last and shop.decisions[last].is_delivered:
            waiting.remove(last)
            shop.activate(last, now) if what == "activate" else shop.cancel(last, now)


def rename_something(shop: Shop, now: float, chance: random.Random) -> None:
    """Rename a channel, category or message, or make it one with another."""
    document = shop.rulebook.catalogue.to_document()
    part = chance.choice(("channels", "channels", "categories", "messages"))
    names = sorted(document[part])
    old = chance.choice(names)
    others = [name for name in names if name != old]
    merges = part != "messages" and len(others) > 1 and chance.random() < 0.3
    new = chance.choice(others) if merges else f"{old.partition('_')[0]}_{shop.rulebook.version + 1}"
    shop.replace_catalogue(rename(document, part, old, new), now)


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


class WithoutFormerNames(Shop):
    """A shop that forgets what its channels, categories and messages were called."""

    def replace_catalogue(self, document: dict[str, Any], now: float) -> None:
        super().replace_catalogue(document, now)
        forgotten = copy.deepcopy(document)
        for part in ("channels", "categories", "messages"):
            for content in forgotten[part].values():
                content["formerly"] = []
        self.rulebook = Rulebook.of(Catalogue.from_document(forgotten), self.rulebook.version)


class WithoutEndings(Shop):
    """A shop that logs what its shoppers do, and ends no trigger by it."""

    def observe(self, shopper_id: str, kind: str, now: float, occurred_at: float) -> None:
        self.rows.append(EventRow(now, shopper_id, kind, occurred_at))


@pytest.mark.parametrize(
    ("broken", "codes"),
    [
        (WithoutFormerNames, {"no_consent", "unreachable", "cap_channel", "cap_category"}),
        (WithoutEndings, {"expired"}),
        (Shop, set[str]()),
    ],
)
def test_the_audit_finds_a_shop_that_forgets_names_or_endings(broken: type[Shop], codes: set[str]) -> None:
    """The same histories as above, of a shop in which a part of the code is missing."""
    broken_rules = set[str]()
    for seed in range(30):
        shop = broken(with_every_rule(), seed=b"%d" % seed)
        live(shop, 1_795_280_400.0, seed, 80)
        broken_rules |= {violation.code for violation in audit(shop.log).violations}
    assert broken_rules >= codes
    assert bool(broken_rules) == bool(codes)


def with_every_rule() -> dict[str, Any]:
    """Return a catalogue whose rules look at names, and whose triggers end."""
    document = two_categories(defaults={"consent": {"push": True, "sms": True}})
    caps = [{"max": 2, "window_s": 86_400}]
    document["channels"] = {name: {"attribution_window_s": 14_400, "caps": caps} for name in ("push", "email", "sms")}
    document["categories"] = {name: {"caps": [{"max": 1, "window_s": 43_200}]} for name in ("cart", "price")}
    document["triggers"]["left"]["ends_on"] = ["purchase", "product_view"]
    document["triggers"]["urgent"] = {"priority": 3, "expires_s": 172_800, "critical": True, "ends_on": ["purchase"]}
    for message in document["messages"].values():
        message["templates"] = {name: {"en": {"body": "B"}} for name in document["channels"]}
        message["triggers"] = [*message["triggers"], "urgent"]
        message["cooldown_s"] = 7_200
    return document


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
