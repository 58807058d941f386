from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.decide import Case, decide, decide_many, still_allowed
from policies.decision import Decision
from policies.decision_row import LOST_RACE, decision_row
from policies.draw import draw_many, unit_number
from policies.models.rule import rule_policy
from policies.models.uniform import uniform_policy
from policies.records.reasons import Reason
from policies.records.rows import DecisionRow, TriggerRecord, decode, encode, unpack
from policies.shopper.fold import send_from_decision
from policies.shopper.numbers import shopper_numbers
from policies.shopper.state import NEW_SHOPPER, Send, ShopperState
from policies.shopper.summaries import exact_probability
from tests.chi_square import chi_square_limit
from tests.factories import NOW, request, small_document, trigger
from tests.policies.served_policies import SERVED, MakePolicy

SEED = b"application seed"
DRAWS = 20_000


@pytest.mark.parametrize("p_click", [None, 0.1])
def test_the_row_and_the_place_know_the_same_of_a_send(small_rulebook: Rulebook, p_click: float | None) -> None:
    asked = request(trigger(attributes={"category": "x" * 200}))
    decision = decide(asked, NEW_SHOPPER, small_rulebook, rule_policy(epsilon=0.0), SEED)
    known = None if p_click is None else np.full((1, len(small_rulebook.space)), p_click)
    distributions = replace(decision.batch.distributions, p_click=known)
    decision = Decision(replace(decision.batch, distributions=distributions), 0)
    row = decision_row(decision)
    assert (row.p_click, row.numbers) == (p_click, shopper_numbers(asked, NEW_SHOPPER, small_rulebook))
    assert decision.send is not None
    assert decision.send == send_from_decision(row)
    assert (decision.send.product_category, decision.send.p_click) == ("x" * 100, exact_probability(p_click))


def test_without_an_eligible_send_a_row_holds_no_numbers(small_rulebook: Rulebook) -> None:
    late = request(trigger(expires_at=NOW - 1))
    row = decision_row(decide(late, NEW_SHOPPER, small_rulebook, rule_policy(), SEED))
    assert (row.numbers, row.p_click) == (None, None)


def test_the_same_request_is_decided_the_same(small_rulebook: Rulebook) -> None:
    first, again = (decide(request(), NEW_SHOPPER, small_rulebook, uniform_policy(), SEED) for _ in range(2))
    assert encode(decision_row(first)) == encode(decision_row(again))


def test_another_event_id_or_seed_draws_anew(small_rulebook: Rulebook) -> None:
    def draw_of(event_id: str, seed: bytes) -> int:
        return decide(request(event_id=event_id), NEW_SHOPPER, small_rulebook, uniform_policy(), seed).drawn

    assert len({draw_of(f"e-{number}", SEED) for number in range(200)}) == 9
    assert [draw_of(f"e-{n}", b"a") for n in range(50)] != [draw_of(f"e-{n}", b"b") for n in range(50)]


served = pytest.mark.parametrize("make", SERVED.values(), ids=SERVED.keys())


@served
def test_served_frequencies_equal_stated_propensities(small_rulebook: Rulebook, make: MakePolicy) -> None:
    """Chi-square over 20,000 draws in one state; the false-alarm rate is 1e-5 (the seed is fixed).

    A policy that samples its model states other probabilities for each event; their sums are what is expected.
    """
    policy = replace(make(small_rulebook), epsilon=0.3)
    expected, counts = np.zeros(len(small_rulebook.space) + 1), np.zeros(len(small_rulebook.space) + 1)
    for begin in range(0, DRAWS, 500):
        cases = [Case(request(event_id=f"e-{begin + number}"), NEW_SHOPPER) for number in range(500)]
        for decision in decide_many(cases, small_rulebook, policy, SEED):
            p = decision.probabilities
            assert decision.propensity == p[decision.drawn]
            expected += p
            counts[decision.drawn] += 1
    assert ((counts - expected) ** 2 / expected).sum() < chi_square_limit(len(expected) - 1)


@served
def test_the_uniform_targets_mean_importance_weight_is_one(example_rulebook: Rulebook, make: MakePolicy) -> None:
    """Over 5,000 decisions in many contexts: |z| < 4, false-alarm rate 6e-5."""
    policy, cases, weights = make(example_rulebook), list[Case](), list[float]()
    for number in range(DRAWS // 4):
        state = ShopperState(consent={"email": number % 3 > 0, "push": number % 5 > 0})
        asked = request(trigger("post_purchase", priority=4), event_id=f"e-{number}", now=NOW + 60.0 * number)
        cases.append(Case(asked, state))
    batches = [
        decide_many(cases[begin : begin + 500], example_rulebook, policy, SEED) for begin in range(0, len(cases), 500)
    ]
    weights = [1 / decision.eligibility.size / decision.propensity for batch in batches for decision in batch]
    error = np.std(weights) / math.sqrt(len(weights))
    assert abs(np.mean(weights) - 1) <= 4 * error + 1e-12


def test_a_row_tells_everything_that_was_decided_on(small_rulebook: Rulebook) -> None:
    state = ShopperState(consent={"email": False})
    decision = decide(request(), state, small_rulebook, uniform_policy(), SEED)
    row = decode(encode(decision_row(decision)))
    assert row == decision_row(decision)
    verdicts = unpack(decision_row(decision).verdicts, np.uint8)
    p = unpack(decision_row(decision).probabilities, np.float64)
    assert (verdicts == Reason.no_consent).sum() == 4
    (again,) = draw_many(p[None], np.array([unit_number(SEED, "e-1")])).tolist()
    sends = np.flatnonzero(verdicts == Reason.eligible)
    assert (sends[again] if again < len(sends) else small_rulebook.space.hold) == decision.drawn


def test_without_an_eligible_send_it_holds_with_certainty(small_rulebook: Rulebook) -> None:
    state = ShopperState(consent={"email": False, "push": False})
    decision = decide(request(), state, small_rulebook, rule_policy(), SEED)
    assert (decision.is_send, decision.propensity, decision.eligibility.size) == (False, 1.0, 1)
    assert decision_row(decision).hold_reason == "no_eligible_action"


def test_who_is_held_out_holds_for_that_but_from_critical_triggers() -> None:
    book = Rulebook.of(Catalogue.from_document(small_document(arms={"holdout": 1.0})), 1)
    nowhere = ShopperState(consent={"email": False, "push": False})
    critical, other = trigger(critical=True), trigger("wishlist")

    def row(state: ShopperState, *triggers: TriggerRecord) -> DecisionRow:
        return decision_row(decide(request(*triggers), state, book, uniform_policy(), SEED))

    assert row(NEW_SHOPPER, critical, other).is_delivered
    assert row(nowhere, critical).hold_reason == "no_eligible_action"
    assert [row(nowhere, *asked).hold_reason for asked in ((other,), (critical, other))] == ["holdout", "holdout"]
    assert {row(nowhere, critical).arm, row(NEW_SHOPPER, critical).arm} == {"holdout"}


def test_a_lost_race_keeps_the_draw_and_delivers_nothing(small_rulebook: Rulebook) -> None:
    decision = decide(request(), NEW_SHOPPER, small_rulebook, rule_policy(), SEED)
    row = decision_row(decision, lost_race=True)
    assert decision.is_send
    assert (row.drawn, row.propensity, row.hold_reason) == (decision.drawn, decision.propensity, LOST_RACE)
    assert row.send_at is None
    assert not row.is_delivered


def test_a_drawn_send_is_asked_again_in_a_newer_state(small_rulebook: Rulebook) -> None:
    decision = decide(request(), NEW_SHOPPER, small_rulebook, rule_policy(), SEED)
    assert decision.action is not None
    assert still_allowed(decision, NEW_SHOPPER)
    assert not still_allowed(decision, ShopperState(consent={decision.action.channel: False}))


def test_sends_of_the_shopper_are_features(small_rulebook: Rulebook) -> None:
    state = ShopperState(
        sends=(Send(event_id="x", send_at=NOW - 3_600, message="hint", channel="push", category="browse"),)
    )
    assert decide(request(), state, small_rulebook, uniform_policy(), SEED).context["recent_sends"] == 1


def test_the_callers_context_wins(small_rulebook: Rulebook) -> None:
    asked = request(context={"segment": "vip"})
    assert decide(asked, NEW_SHOPPER, small_rulebook, uniform_policy(), SEED).context["segment"] == "vip"
