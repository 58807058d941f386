"""The sends that a state keeps: a bounded number, and every rule judges as if it saw all sends."""

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
from policies.rules.rules import RULES
from policies.shopper.retention import KEPT, MAX_AHEAD, keep_relevant
from policies.shopper.state import Send, ShopperState
from tests.factories import DAY_S, NOW, request, small_document, trigger
from tests.strategies import CHANNELS, MESSAGES, catalogues


def send(number: int, at: float, message: str = "hint", channel: str = "push", **more: Any) -> Send:
    category = {"reminder": "cart", "hint": "browse"} | MESSAGES
    return Send(
        event_id=f"e-{number}", send_at=at, message=message, channel=channel, category=category[message], **more
    )


def in_order(*sends: Send) -> tuple[Send, ...]:
    return tuple(sorted(sends, key=lambda send: (send.send_at, send.event_id)))


def verdicts(sends: tuple[Send, ...], rulebook: Rulebook, kind: str) -> list[int]:
    asked = trigger(kind)
    situation = RULES.situation_of(request(asked, event_id="asked"), asked, ShopperState(sends=sends), rulebook)
    return [int(verdict) for verdict in RULES.judge(situation)]


def with_large_caps(document: dict[str, Any], most: int) -> dict[str, Any]:
    """Let every cap allow many, so that only many sends fill it."""
    for holder in (document, *document["channels"].values(), *document["messages"].values()):
        for cap in holder.get("caps") or ():
            cap["max"] = most
    for category in document["categories"].values():
        for cap in category["caps"]:
            cap["max"] = most
    return document


WITH_SENDS = frozenset(
    {"suppression", "cooldown", "min_gap", "cap_message", "cap_category", "cap_channel", "cap_global"}
)


@settings(max_examples=40, deadline=None)
@given(
    catalogues(WITH_SENDS),
    st.sampled_from((1, 250, 256)),
    st.integers(0, 10**6),
    st.sampled_from((60.0, 900.0, 7_200.0)),
)
def test_dropping_sends_changes_no_verdict(document: dict[str, Any], most: int, seed: int, apart_s: float) -> None:
    """Many sends of one kind, and a few of other kinds long before: the kept sends give the verdicts of all sends."""
    chance, rulebook = random.Random(seed), Rulebook.of(Catalogue.from_document(with_large_caps(document, most)), 1)
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
    judged = verdicts(kept, rulebook, "cart_abandoned")
    reminders = {judged[number] for number in range(len(judged)) if rulebook.space[number].message == "reminder"}
    assert reminders == {Reason.cooldown}


@pytest.mark.parametrize("days", [31, 90, 400])
def test_a_state_keeps_what_the_catalogue_can_reach(days: int) -> None:
    document = small_document(delays_s=[0])
    document["messages"]["reminder"] |= {"cooldown_s": days * 86_400}
    rulebook = Rulebook.of(Catalogue.from_document(document), 1)
    reminder = send(0, NOW - days * DAY_S + 60, "reminder")
    everything = in_order(reminder, *(send(number, NOW - number * DAY_S) for number in range(1, 30)))
    horizon_s = RULES.horizon_s(rulebook.catalogue)
    assert horizon_s == days * DAY_S
    kept = keep_relevant(everything, horizon_s)
    assert verdicts(kept, rulebook, "cart_abandoned") == verdicts(everything, rulebook, "cart_abandoned")
    assert (reminder in keep_relevant(everything)) == (days == 31)


def test_critical_sends_hide_no_others() -> None:
    others = [send(number, NOW + number, critical=True) for number in range(1, 1_000)]
    assert keep_relevant(in_order(send(0, NOW), *others))[0].event_id == "e-0"


@pytest.mark.parametrize(("ahead", "denied"), [(MAX_AHEAD - 1, False), (MAX_AHEAD, True)])
def test_no_more_sends_are_allowed_than_may_lie_ahead(ahead: int, denied: bool) -> None:
    rulebook = Rulebook.of(Catalogue.from_document(small_document()), 1)
    sends = in_order(*(send(number, NOW + 1 + number) for number in range(ahead)), send(-1, NOW), send(-2, NOW - 1))
    judged = np.array(verdicts(sends, rulebook, "wishlist"))
    assert set(judged[judged != Reason.not_a_candidate].tolist()) == {Reason.cap_global if denied else Reason.eligible}
