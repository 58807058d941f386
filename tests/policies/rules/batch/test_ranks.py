"""The forms of rules for many situations deny what their readable forms deny."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.rules.arbitration import situations_of
from policies.rules.rules import RULES
from policies.rules.situation import NOTHING_ELSE, Situation, Surroundings
from policies.shopper.retention import MAX_AHEAD
from policies.shopper.state import Send, ShopperState
from tests.factories import NOW, request, small_document, trigger
from tests.policies.test_decide_many import Day, days
from tests.strategies import RULES as RULES_OF_WORLDS

ALONE = 1_000_000
WITH_A_FORM = [
    name for name in RULES_OF_WORLDS if name not in ("no_content", "expired", "consent", "reachable", "muted", "budget")
]


def situations_on(day: Day) -> list[Situation]:
    return [
        situation
        for asked in day.cases()
        for situation in situations_of(asked.request, asked.state, day.rulebook, Surroundings(asked.spent))
    ]


def assert_judged_alike(situations: list[Situation]) -> list[list[int]]:
    together: list[list[int]] = RULES.judge_many(situations, 1).tolist()
    assert together == RULES.judge_many(situations, ALONE).tolist()
    return together


@pytest.mark.parametrize("rule", WITH_A_FORM)
def test_a_rule_with_a_form_for_many_situations_denies_the_same(rule: str) -> None:
    @settings(max_examples=20, deadline=None)
    @given(days(on=st.just(frozenset({rule}))))
    def compare(day: Day) -> None:
        verdicts = assert_judged_alike(situations_on(day))
        event(f"{len({reason for one in verdicts for reason in one})} reasons")

    compare()


@settings(max_examples=25, deadline=None)
@given(days(), st.lists(st.floats(0, 3_600), min_size=6, max_size=6), st.floats(0, 3_600))
def test_times_between_two_seconds_are_judged_alike(day: Day, later_s: list[float], sends_later_s: float) -> None:
    requests = [
        msgspec.structs.replace(asked, now=asked.now + later)
        for asked, later in zip(day.requests, later_s, strict=False)
    ]
    states = {
        shopper: msgspec.structs.replace(
            state,
            sends=tuple(msgspec.structs.replace(send, send_at=send.send_at + sends_later_s) for send in state.sends),
        )
        for shopper, state in day.states.items()
    }
    assert_judged_alike(situations_on(replace(day, requests=requests, states=states)))


def test_a_shopper_with_very_many_sends_ahead_gets_no_more() -> None:
    book = Rulebook.of(Catalogue.from_document(small_document()), 1)
    sends = tuple(
        Send(event_id=f"other-{number}", send_at=NOW + 1 + number, message="hint", channel="push", category="browse")
        for number in range(MAX_AHEAD)
    )
    crowded, not_yet = ShopperState(sends=sends), ShopperState(sends=sends[1:])
    situations = [RULES.situation_of(request(), trigger(), state, book, NOTHING_ELSE) for state in (crowded, not_yet)]
    first, second = assert_judged_alike(situations)
    assert Reason.cap_global in first
    assert Reason.cap_global not in second
