"""The table of rules: its order, its version, and how far back it looks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.catalogue.document import LONGEST_WINDOW_S, Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.rules.rule import Rule, RuleTable
from policies.rules.rules import RULES
from policies.rules.situation import Situation
from policies.rules.verdicts import DelayMask, VerdictTable
from policies.rules.windows import is_near
from policies.shopper.state import NEW_SHOPPER, Send, ShopperState
from tests.factories import DAY_S, NOW, request, small_document, trigger

WEEK_S = 7 * DAY_S
NINE_DAYS_S = 9 * DAY_S


def nine_days_of_rest(situation: Situation) -> DelayMask:
    return is_near(situation.other_sends.times, situation.send_times, NINE_DAYS_S)


RESTING = RuleTable(
    (*RULES.rules, Rule(Reason.min_gap, nine_days_of_rest, VerdictTable.by_delay, lambda _: NINE_DAYS_S))
)


def rulebook(**changes: object) -> Rulebook:
    return Rulebook.of(Catalogue.from_document(small_document(**changes)), 1)


def reasons(table: RuleTable, book: Rulebook, state: ShopperState = NEW_SHOPPER) -> set[Reason]:
    asked = trigger("cart_abandoned")
    return {Reason(verdict) for verdict in table.judge(table.situation_of(request(asked), asked, state, book))}


@pytest.mark.parametrize(("days", "denied"), [(8, True), (9, False), (10, False)])
def test_a_rule_sees_as_far_back_as_it_says_where_the_others_look_back_a_week(days: int, denied: bool) -> None:
    book = rulebook(delays_s=[0], caps=[{"max": 3, "window_s": int(WEEK_S)}])
    state = ShopperState(
        sends=(Send(event_id="other", send_at=NOW - days * DAY_S, message="hint", channel="push", category="browse"),)
    )
    assert RULES.reach_s(book) == WEEK_S
    assert reasons(RULES, book, state) == {Reason.eligible}
    assert reasons(RESTING, book, state) == {Reason.min_gap if denied else Reason.eligible}


@pytest.mark.parametrize(
    ("rules", "reach_s"),
    [
        ({}, WEEK_S),
        ({"min_gap_s": 8 * 86_400}, 8 * DAY_S),
        ({"caps": [{"max": 3, "window_s": 30 * 86_400}, {"max": 1, "window_s": 60}]}, 30 * DAY_S),
        ({"caps": [{"max": 3, "calendar": "week"}]}, 8 * DAY_S),
        ({"categories": {"cart": {"caps": [{"max": 3, "window_s": 20 * 86_400}]}}}, 20 * DAY_S),
        ({"suppression": [{"after": "cart", "blocks": "browse", "window_s": 31 * 86_400}]}, 31 * DAY_S),
    ],
)
def test_the_reach_is_the_longest_of_what_the_rules_say(rules: dict[str, object], reach_s: float) -> None:
    assert RULES.reach_s(rulebook(**rules)) == reach_s


def test_a_rule_that_looks_back_further_than_sends_are_kept_is_refused() -> None:
    rule = Rule(Reason.min_gap, nine_days_of_rest, VerdictTable.by_delay, lambda _: LONGEST_WINDOW_S + 1)
    with pytest.raises(ValueError, match="min_gap looks back"):
        RuleTable((rule,)).reach_s(rulebook())


def test_the_first_rule_of_the_table_gives_the_reason_whatever_its_number() -> None:
    first, second = (
        Rule(reason, lambda situation: situation.always, VerdictTable.by_delay, lambda _: 0.0)
        for reason in (Reason.budget, Reason.expired)
    )
    assert reasons(RuleTable((first, second)), rulebook()) == {Reason.budget}
    assert reasons(RuleTable((second, first)), rulebook()) == {Reason.expired}


def test_what_is_no_candidate_stays_that_whatever_the_rules_deny() -> None:
    asked, nowhere = trigger("wishlist"), ShopperState(consent={"push": False, "email": False})
    verdicts = RULES.judge(RULES.situation_of(request(asked), asked, nowhere, rulebook()))
    assert {Reason(verdict) for verdict in verdicts} == {Reason.not_a_candidate, Reason.no_consent}


def test_the_version_changes_with_a_rule_its_order_and_its_own_version() -> None:
    first, *others = RULES.rules
    tables = [
        RULES,
        RuleTable(tuple(others)),
        RuleTable((*others, first)),
        RuleTable((replace(first, version=2), *others)),
        RuleTable((replace(first, binds_critical=False), *others)),
        RuleTable((replace(first, asked_again=True), *others)),
        RESTING,
    ]
    assert len({table.version for table in tables}) == len(tables)
    assert RuleTable(RULES.rules).version == RULES.version
