from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.request import Exclusion
from policies.rules.arbitration import arbitrate
from policies.rules.rules import RULES
from policies.shopper.state import NEW_SHOPPER, Send, ShopperState
from tests.factories import NOW, request, small_document, trigger


def rulebook(**changes: object) -> Rulebook:
    return Rulebook.of(Catalogue.from_document(small_document(**changes)), 1)


def reasons(book: Rulebook, *triggers: object, state: ShopperState = NEW_SHOPPER, **changes: object) -> set[str]:
    eligibility = arbitrate(request(*triggers, **changes), state, book)  # type: ignore[arg-type]
    return {Reason(verdict).name for verdict in eligibility.verdicts}


def test_a_channel_without_consent_is_denied() -> None:
    state = ShopperState(consent={"push": False})
    eligibility = arbitrate(request(), state, rulebook())
    denied = eligibility.verdicts == Reason.no_consent
    assert denied.tolist() == [rulebook().space[number].channel == "push" for number in range(8)]


def test_consent_defaults_to_the_catalogue() -> None:
    book = rulebook(defaults={"consent": {"push": False, "email": True}})
    assert arbitrate(request(), NEW_SHOPPER, book).verdicts.tolist().count(Reason.no_consent) == 4
    consenting = ShopperState(consent={"push": True})
    assert Reason.no_consent not in arbitrate(request(), consenting, book).verdicts


def test_a_send_after_the_expiry_is_denied_and_one_at_it_is_not() -> None:
    book = rulebook()
    late = arbitrate(request(trigger(expires_at=NOW + 3_599)), NEW_SHOPPER, book)
    assert {book.space[int(n)].delay_s for n in np.flatnonzero(late.verdicts == Reason.expired)} == {3_600}
    assert Reason.expired not in arbitrate(request(trigger(expires_at=NOW + 3_600)), NEW_SHOPPER, book).verdicts


def test_exclusions_match_all_their_fields() -> None:
    book = rulebook()
    excluded = arbitrate(request(exclude=(Exclusion(channel="push", delay_s=0),)), NEW_SHOPPER, book)
    numbers = np.flatnonzero(excluded.verdicts == Reason.excluded_by_caller)
    assert {(book.space[int(n)].channel, book.space[int(n)].delay_s) for n in numbers} == {("push", 0)}
    assert len(numbers) == 2


def test_an_unknown_name_excludes_nothing() -> None:
    assert arbitrate(request(exclude=(Exclusion(channel="fax"),)), NEW_SHOPPER, rulebook()).size == 9


def test_a_channel_cap_leaves_other_channels_alone() -> None:
    channels = {"push": {"attribution_window_s": 60, "caps": [{"max": 1, "window_s": 7200}]}}
    channels["email"] = {"attribution_window_s": 60}
    book = rulebook(channels=channels)
    state = ShopperState(
        sends=(Send(event_id="other", send_at=NOW - 60, message="hint", channel="push", category="browse"),)
    )
    eligibility = arbitrate(request(), state, book)
    assert {book.space[int(n)].channel for n in eligibility.sends} == {"email"}
    assert Reason.cap_channel in eligibility.verdicts


def test_a_reservation_ahead_fills_a_cap_like_a_send_behind() -> None:
    book = rulebook(caps=[{"max": 1, "window_s": 3_600}])
    ahead = ShopperState(
        sends=(Send(event_id="other", send_at=NOW + 1_800, message="hint", channel="push", category="browse"),)
    )
    assert len(arbitrate(request(), ahead, book).sends) == 0
    far = ShopperState(
        sends=(Send(event_id="other", send_at=NOW + 7_200, message="hint", channel="push", category="browse"),)
    )
    assert {book.space[int(n)].delay_s for n in arbitrate(request(), far, book).sends} == {0, 3_600}


def test_the_decisions_own_reservation_does_not_count_against_it() -> None:
    book = rulebook(caps=[{"max": 1, "window_s": 86_400}])
    reserved = ShopperState(
        sends=(Send(event_id="e-1", send_at=NOW, message="hint", channel="push", category="browse"),)
    )
    assert len(arbitrate(request(event_id="e-1"), reserved, book).sends) == 8
    assert len(arbitrate(request(event_id="e-2"), reserved, book).sends) == 0


def test_critical_triggers_skip_caps_but_not_consent_and_make_hold_ineligible() -> None:
    book = rulebook(caps=[{"max": 1, "window_s": 86_400}])
    state = ShopperState(
        consent={"email": False},
        sends=(Send(event_id="other", send_at=NOW, message="hint", channel="push", category="browse"),),
    )
    eligibility = arbitrate(request(trigger(critical=True)), state, book)
    assert not eligibility.hold
    assert {book.space[int(n)].channel for n in eligibility.sends} == {"push"}
    nothing = ShopperState(consent={"email": False, "push": False})
    assert arbitrate(request(trigger(critical=True)), nothing, book).hold


def test_critical_sends_count_under_no_cap() -> None:
    book = rulebook(caps=[{"max": 1, "window_s": 86_400}])
    state = ShopperState(
        sends=(Send(event_id="other", send_at=NOW, message="hint", channel="push", category="browse", critical=True),)
    )
    assert len(arbitrate(request(), state, book).sends) == 8


def test_the_most_urgent_trigger_outranks_the_others() -> None:
    book = rulebook()
    eligibility = arbitrate(request(trigger("wishlist", priority=5), trigger(priority=2)), NEW_SHOPPER, book)
    assert set(eligibility.trigger_of[eligibility.sends]) == {1}
    assert len(eligibility.sends) == 8  # hint answers the cart trigger too


def test_a_trigger_that_only_it_answers_is_reported_outranked() -> None:
    book = rulebook()
    eligibility = arbitrate(request(trigger("wishlist", priority=1), trigger(priority=2)), NEW_SHOPPER, book)
    outranked = np.flatnonzero(eligibility.verdicts == Reason.outranked)
    assert {book.space[int(n)].message for n in outranked} == {"reminder"}


def test_an_urgent_trigger_without_an_eligible_send_does_not_silence_the_others() -> None:
    book = rulebook()
    urgent = trigger(priority=1, expires_at=NOW - 1)
    eligibility = arbitrate(request(urgent, trigger("wishlist", priority=9)), NEW_SHOPPER, book)
    assert {book.space[int(n)].message for n in eligibility.sends} == {"hint"}


def test_among_equals_a_message_answers_the_first_listed_trigger_that_allows_it() -> None:
    book = rulebook()
    both = (trigger("wishlist", priority=3), trigger("cart_abandoned", priority=3))
    eligibility = arbitrate(request(*both), NEW_SHOPPER, book)
    answered = {book.space[int(n)].message: int(eligibility.trigger_of[n]) for n in eligibility.sends}
    assert answered == {"hint": 0, "reminder": 1}


states = st.builds(
    ShopperState,
    consent=st.dictionaries(st.sampled_from(["push", "email"]), st.booleans()),
    sends=st.lists(
        st.builds(
            Send,
            st.uuids().map(str),
            st.integers(-10, 10).map(lambda hours: NOW + hours * 1_800.0),
            st.just("hint"),
            st.sampled_from(["push", "email"]),
            st.booleans(),
        ),
        max_size=6,
    ).map(lambda sends: tuple(sorted(sends, key=lambda send: send.send_at))),
)
caps = st.lists(st.fixed_dictionaries({"max": st.integers(1, 3), "window_s": st.integers(1_800, 18_000)}), max_size=2)


@given(states, caps, caps)
def test_adding_a_cap_never_enlarges_the_eligible_set(
    state: ShopperState, some: list[object], more: list[object]
) -> None:
    fewer_rules = arbitrate(request(), state, rulebook(caps=some))
    more_rules = arbitrate(request(), state, rulebook(caps=[*some, *more]))
    assert set(more_rules.sends) <= set(fewer_rules.sends)
    assert fewer_rules.hold


@given(states, caps)
def test_rules_judge_each_joint_action_alone(state: ShopperState, some: list[object]) -> None:
    book = rulebook(caps=some)
    verdicts = RULES.judge(RULES.situation_of(request(), trigger(), state, book))
    for number in range(len(book.space)):
        others = tuple(Exclusion(*book.space[other]) for other in range(len(book.space)) if other != number)
        alone = RULES.judge(RULES.situation_of(request(exclude=others), trigger(), state, book))
        assert alone[number] == verdicts[number]


@given(states, caps)
def test_nothing_outside_the_rules_is_ever_eligible(state: ShopperState, some: list[dict[str, int]]) -> None:
    book = rulebook(caps=some)
    for number in arbitrate(request(), state, book).sends:
        action = book.space[int(number)]
        assert state.consent.get(action.channel, True)
        counted = [send.send_at for send in state.sends if not send.critical]
        for cap in some:
            near = [time for time in counted if abs(time - NOW - action.delay_s) < cap["window_s"]]
            spans = [*near, NOW + action.delay_s]
            containing = [first for first in spans if first <= NOW + action.delay_s < first + cap["window_s"]]
            assert all(
                sum(first <= time < first + cap["window_s"] for time in spans) <= cap["max"] for first in containing
            )


def test_reasons_are_asked_in_the_order_of_the_contract() -> None:
    assert [*dict.fromkeys(rule.reason.name for rule in RULES.rules)] == [
        "excluded_by_caller",
        "no_content",
        "expired",
        "no_consent",
        "unreachable",
        "preference",
        "holdout",
        "quiet_hours",
        "suppression_window",
        "cooldown",
        "min_gap",
        "cap_message",
        "cap_category",
        "cap_channel",
        "cap_global",
        "budget",
    ]


def test_every_reason_but_three_belongs_to_a_rule() -> None:
    apart = {Reason.eligible, Reason.outranked, Reason.not_a_candidate}
    assert {rule.reason for rule in RULES.rules} == set(Reason) - apart


STORED = {
    "eligible": 0,
    "excluded_by_caller": 1,
    "no_content": 2,
    "expired": 3,
    "no_consent": 4,
    "unreachable": 5,
    "preference": 6,
    "holdout": 7,
    "quiet_hours": 8,
    "suppression_window": 9,
    "cooldown": 10,
    "min_gap": 11,
    "cap_message": 12,
    "cap_category": 13,
    "cap_channel": 14,
    "cap_global": 15,
    "budget": 16,
    "outranked": 17,
    "not_a_candidate": 255,
}
"""The numbers in the decision rows of the first three versions of the rules."""


def test_stored_numbers_keep_their_reasons() -> None:
    assert {name: Reason(number).name for name, number in STORED.items()} == {name: name for name in STORED}


def test_the_version_of_the_rules_is_the_one_that_rows_name() -> None:
    """A change of the rules changes this number: write the new one here, and say in the CHANGELOG what changed."""
    assert RULES.version == 10802802


def test_a_missing_attribute_makes_a_message_ineligible() -> None:
    document = small_document()
    document["messages"]["reminder"] = {
        "category": "cart",
        "triggers": ["cart_abandoned"],
        "templates": {"push": {"en": {"title": "T", "body": "{{ product }}"}}},
    }
    book = Rulebook.of(Catalogue.from_document(document), 1)
    assert "no_content" in reasons(book)
    assert "no_content" not in reasons(book, trigger(attributes={"product": "Runner 3"}))
    assert "no_content" in reasons(book, trigger(attributes={"product": "  "}))


@pytest.mark.parametrize(
    ("reason", "message", "rules"),
    [
        ("min_gap", "hint", {"min_gap_s": 61}),
        ("suppression_window", "hint", {"suppression": [{"after": "cart", "blocks": "browse", "window_s": 61}]}),
        ("suppression_window", "reminder", {"suppression": [{"after": "cart", "blocks": "cart", "window_s": 61}]}),
        ("cap_global", "hint", {"caps": [{"max": 1, "window_s": 61}]}),
    ],
)
def test_a_send_reserved_for_after_the_last_delay_is_near_too(
    reason: str, message: str, rules: dict[str, object]
) -> None:
    category = {"hint": "browse", "reminder": "cart"}[message]
    ahead = ShopperState(
        sends=(Send(event_id="other", send_at=NOW + 3_660, message=message, channel="push", category=category),)
    )
    assert reason in reasons(rulebook(**rules), state=ahead)
    farther = ShopperState(
        sends=(Send(event_id="other", send_at=NOW + 3_661, message=message, channel="push", category=category),)
    )
    assert reason not in reasons(rulebook(**rules), state=farther)


@pytest.mark.parametrize("message", ["reminder", "hint"])
def test_the_first_moment_of_a_suppression_window_belongs_to_it(message: str) -> None:
    book = rulebook(suppression=[{"after": "cart", "blocks": "browse", "window_s": 300}], delays_s=[3_600])
    category = {"hint": "browse", "reminder": "cart"}[message]
    same_time = ShopperState(
        sends=(Send(event_id="other", send_at=NOW + 3_600, message=message, channel="push", category=category),)
    )
    eligible = arbitrate(request(), same_time, book).sends
    assert {book.space[int(number)].message for number in eligible} == {message}, "the other one would come within it"
