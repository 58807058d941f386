"""The sends that a state keeps: bounded, and every rule gives the verdicts that all of them would give."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.rules.rules import judge
from policies.rules.situation import Situation
from policies.shopper.retention import KEPT, MAX_AHEAD, keep_relevant
from policies.shopper.state import Send, ShopperState
from tests.factories import DAY_S, NOW, request, small_document, trigger
from tests.strategies import CHANNELS, MESSAGES, catalogues


def send(number: int, at: float, message: str = "hint", channel: str = "push", **more: Any) -> Send:
    category = {"reminder": "cart", "hint": "browse"} | MESSAGES
    return Send(f"e-{number}", at, message, channel, category[message], **more)


def in_order(*sends: Send) -> tuple[Send, ...]:
    return tuple(sorted(sends, key=lambda send: (send.send_at, send.event_id)))


def verdicts(sends: tuple[Send, ...], rulebook: Rulebook, kind: str) -> list[int]:
    asked = trigger(kind)
    situation = Situation.of(request(asked, event_id="asked"), asked, ShopperState(sends=sends), rulebook)
    return [int(reason) for reason in judge(situation)]


def lower_caps(document: dict[str, Any], most: int) -> dict[str, Any]:
    """Let every cap allow many, so that only many sends fill it."""
    for holder in (document, *document["channels"].values(), *document["messages"].values()):
        for cap in holder.get("caps") or ():
            cap["max"] = most
    for category in document["categories"].values():
        for cap in category["caps"]:
            cap["max"] = most
    return document


RULES = frozenset({"suppression", "cooldown", "min_gap", "cap_message", "cap_category", "cap_channel", "cap_global"})


@settings(max_examples=40, deadline=None)
@given(
    catalogues(RULES), st.sampled_from((1, 250, 256)), st.integers(0, 10**6), st.sampled_from((60.0, 900.0, 7_200.0))
)
def test_what_is_let_go_changes_no_verdict(document: dict[str, Any], most: int, seed: int, apart_s: float) -> None:
    """Many sends of one kind, and a few of others long before them: what binds is found as in all of them."""
    chance, rulebook = random.Random(seed), Rulebook.of(Catalogue.from_document(lower_caps(document, most)), 1)
    many = chance.choice(tuple(MESSAGES)), chance.choice(CHANNELS)
    crowd = [send(number, NOW - number * apart_s * chance.random(), *many) for number in range(3 * KEPT)]
    ahead = [send(10_000 + number, NOW + chance.random() * 14 * DAY_S, *many) for number in range(MAX_AHEAD - 1)]
    few = [
        send(
            20_000 + number, NOW - chance.random() * 31 * DAY_S, chance.choice(tuple(MESSAGES)), chance.choice(CHANNELS)
        )
        for number in range(5)
    ]
    everything = in_order(*crowd, *ahead, *few)
    kept = keep_relevant(everything)
    assert len(kept) < len(everything)
    for kind in rulebook.catalogue.triggers:
        assert verdicts(kept, rulebook, kind) == verdicts(everything, rulebook, kind)


def test_other_sends_hide_neither_the_cooldown_nor_the_cap_of_a_message() -> None:
    document = small_document(delays_s=[0])
    document["messages"]["reminder"] |= {"cooldown_s": 2_592_000, "caps": [{"max": 1, "window_s": 2_592_000}]}
    rulebook = Rulebook.of(Catalogue.from_document(document), 1)
    others = [send(number, NOW - number * 60) for number in range(1, 1_000)]
    kept = keep_relevant(in_order(send(0, NOW - 10 * DAY_S, "reminder"), *others))
    assert len(kept) == KEPT + 1
    codes = verdicts(kept, rulebook, "cart_abandoned")
    reminders = {code for number, code in enumerate(codes) if rulebook.space[number].message == "reminder"}
    assert reminders == {Reason.cooldown}


def test_critical_sends_hide_no_others() -> None:
    others = [send(number, NOW + number, critical=True) for number in range(1, 1_000)]
    assert keep_relevant(in_order(send(0, NOW), *others))[0].event_id == "e-0"


@pytest.mark.parametrize(("ahead", "denied"), [(MAX_AHEAD - 1, False), (MAX_AHEAD, True)])
def test_no_more_places_are_given_than_may_lie_ahead(ahead: int, denied: bool) -> None:
    rulebook = Rulebook.of(Catalogue.from_document(small_document()), 1)
    sends = in_order(*(send(number, NOW + 1 + number) for number in range(ahead)), send(-1, NOW), send(-2, NOW - 1))
    codes = np.array(verdicts(sends, rulebook, "wishlist"))
    assert set(codes[codes != Reason.not_a_candidate].tolist()) == {Reason.cap_global if denied else Reason.eligible}
