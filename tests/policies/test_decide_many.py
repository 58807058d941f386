"""Many decisions at once are the same to the byte as each alone, and as one after the other where they take places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook, millionths
from policies.decide import Case, decide, decide_in_order, decide_many
from policies.decision import Decision
from policies.decision_row import decision_row
from policies.models.learned import DEFAULT
from policies.models.policy import Assessment, AssessmentTable, Policy
from policies.models.rule import rule_policy
from policies.models.uniform import uniform_policy
from policies.records.request import Request
from policies.records.rows import TriggerRecord, encode
from policies.rules.arbitration import situations_of
from policies.rules.budget import BudgetDay, utc_day
from policies.rules.rules import RULES
from policies.rules.situation import Surroundings
from policies.shopper.fold import fold
from policies.shopper.state import ShopperState
from tests.policies.rules.one_by_one import judge_one_by_one
from tests.policies.served_policies import SERVED
from tests.reference.test_rules import CONTEXTS, exclusions, triggers
from tests.strategies import CHANNELS, QUARTER_S, catalogues, moments, rule_sets, states

SEED = b"application seed"
MOST_REQUESTS = 6


def table_policy(rulebook: Rulebook) -> Policy:
    """Return a policy with other scores for each request of a day."""
    scores, p_out = np.random.default_rng(1).normal(size=(2, MOST_REQUESTS, len(rulebook.space)))
    rows = {f"e-{number}": MOST_REQUESTS - 1 - number for number in range(MOST_REQUESTS)}
    return Policy("table", AssessmentTable(rows, Assessment(scores, p_out)), epsilon=0.1)


POLICIES: dict[str, Callable[[Rulebook], Policy]] = {
    "uniform": lambda rulebook: uniform_policy(),
    "rule": lambda rulebook: rule_policy(epsilon=0.3),
    "learned": DEFAULT.make,
    "table": table_policy,
    "sampling": SERVED["exploration thompson"],
    "bayes": SERVED["bayes that has learned"],
    "holding": SERVED["default that holds at random"],
}
makers = st.sampled_from(sorted(POLICIES)).map(POLICIES.__getitem__)


@dataclass(frozen=True)
class Day:
    """Requests of some shoppers in their order, the shoppers' states, and what the channels have spent."""

    rulebook: Rulebook
    requests: list[Request]
    states: Mapping[str, ShopperState]
    spent: Mapping[BudgetDay, int]

    def cases(self) -> list[Case]:
        return [Case(request, self.states[request.shopper_id], self.spent) for request in self.requests]


@st.composite
def requests_at(draw: st.DrawFn, event_id: str, shopper_id: str, now: float, most_triggers: int) -> Request:
    asked = tuple(
        TriggerRecord(kind, priority, now + quarters * QUARTER_S, critical, filled)
        for kind, priority, quarters, critical, filled in draw(st.lists(triggers, min_size=1, max_size=most_triggers))
    )
    exclude = (draw(exclusions),) if draw(st.integers(0, 4)) == 0 else ()
    return Request(event_id, shopper_id, asked, now, draw(st.sampled_from(CONTEXTS)), exclude, draw(st.booleans()))


@st.composite
def days(draw: st.DrawFn, most_shoppers: int = 5, on: st.SearchStrategy[frozenset[str]] = rule_sets) -> Day:
    rules, begin = draw(on), draw(moments)
    arms = {"holdout": draw(st.sampled_from((0.0, 0.0, 0.5)))}
    rulebook = Rulebook.of(Catalogue.from_document(draw(catalogues(rules)) | {"arms": arms}), 1)
    shoppers = [f"s-{number}" for number in range(draw(st.integers(1, most_shoppers)))]
    quarters = draw(st.lists(st.integers(0, 40), min_size=2, max_size=MOST_REQUESTS))
    most_triggers = draw(st.sampled_from((1, 3)))
    requests = [
        draw(requests_at(f"e-{number}", draw(st.sampled_from(shoppers)), begin + later * QUARTER_S, most_triggers))
        for number, later in enumerate(quarters)
    ]
    today = utc_day(begin)
    spent = {(channel, today + ahead): draw(st.integers(0, 8)) * 5_000 for channel in CHANNELS for ahead in (0, 1)}
    return Day(rulebook, requests, {shopper: draw(states(begin, rules)) for shopper in shoppers}, spent)


with_budgets = st.one_of(
    st.just(frozenset({"budget"})), st.just(frozenset({"budget", "min_gap", "cap_channel"})), rule_sets
)


def bytes_of(decision: Decision) -> tuple[Any, ...]:
    """Return everything that a decision says, to the byte."""
    eligibility = decision.eligibility
    return (
        decision.request.event_id,
        list(decision.context.items()),
        decision.locale,
        decision.held_out,
        eligibility.verdicts.tobytes(),
        eligibility.trigger_of.tobytes(),
        eligibility.hold,
        decision.probabilities.tobytes(),
        (decision.drawn, decision.propensity, decision.p_out, decision.trigger),
        decision.send,
        decision.size,
        decision.exclusions,
        encode(decision_row(decision)),
    )


@settings(max_examples=25, deadline=None)
@given(days(), makers, st.data())
def test_a_decision_does_not_depend_on_the_others(
    day: Day, make: Callable[[Rulebook], Policy], data: st.DataObject
) -> None:
    policy, cases = make(day.rulebook), day.cases()
    alone = [bytes_of(decide(asked.request, asked.state, day.rulebook, policy, SEED, asked.spent)) for asked in cases]
    order = data.draw(st.permutations(range(len(cases))))
    size = data.draw(st.integers(1, len(cases)))
    for numbers in (order[:size], order[size:]):
        together = decide_many([cases[number] for number in numbers], day.rulebook, policy, SEED)
        assert [bytes_of(decision) for decision in together] == [alone[number] for number in numbers]


@settings(max_examples=30, deadline=None)
@given(days(), st.booleans(), st.sampled_from((1, 100)))
def test_many_situations_are_judged_as_one_rule_and_one_joint_action_after_the_other(
    day: Day, held_out: bool, fewest_in_batch: int
) -> None:
    situations = [
        situation
        for asked in day.cases()
        for situation in situations_of(asked.request, asked.state, day.rulebook, Surroundings(asked.spent, held_out))
    ]
    expected = [judge_one_by_one(RULES, situation) for situation in situations]
    assert RULES.judge_many(situations, fewest_in_batch).tolist() == expected


def decide_one_after_the_other(day: Day, policy: Policy) -> list[Decision]:
    """The specification of `decide_in_order`: each decision knows the places and the costs of the ones before."""
    known, spent, decisions = dict(day.states), Counter(day.spent), []
    for request in day.requests:
        state = known[request.shopper_id]
        decision = decide(request, state, day.rulebook, policy, SEED, dict(spent))
        if decision.send is not None:
            known[request.shopper_id] = state.with_claim(decision.send)
            spent[decision.send.channel, utc_day(decision.send.send_at)] += millionths(decision.send.cost)
        decisions.append(decision)
    return decisions


def decide_in_parts(day: Day, policy: Policy) -> list[list[Decision]]:
    """Call `decide_in_order` on the rest again and again, with the places and the costs as they are by then."""
    known, spent, rest = dict(day.states), Counter(day.spent), day.requests
    parts: list[list[Decision]] = []
    while rest:
        parts.append(decide_in_order(rest, known, dict(spent), day.rulebook, policy, SEED))
        for send, shopper_id in ((decision.send, decision.request.shopper_id) for decision in parts[-1]):
            if send is not None:
                known[shopper_id] = known[shopper_id].with_claim(send)
                spent[send.channel, utc_day(send.send_at)] += millionths(send.cost)
        assert parts[-1]
        rest = rest[len(parts[-1]) :]
    return parts


@settings(max_examples=40, deadline=None)
@given(days(most_shoppers=3, on=with_budgets), makers)
def test_a_list_gives_what_its_requests_give_one_after_the_other(day: Day, make: Callable[[Rulebook], Policy]) -> None:
    policy = make(day.rulebook)
    parts = decide_in_parts(day, policy)
    event(f"{len(parts)} parts")
    in_order = [bytes_of(decision) for part in parts for decision in part]
    assert in_order == [bytes_of(decision) for decision in decide_one_after_the_other(day, policy)]


@settings(max_examples=15, deadline=None)
@given(days(most_shoppers=1), makers)
def test_a_place_taken_ahead_of_the_log_decides_like_the_row(day: Day, make: Callable[[Rulebook], Policy]) -> None:
    policy, (first, *others), state = make(day.rulebook), day.requests, day.states[day.requests[0].shopper_id]
    decision = decide(first, state, day.rulebook, policy, SEED)
    claimed = state if decision.send is None else state.with_claim(decision.send)
    folded = fold(state, decision_row(decision), RULES.horizon_s(day.rulebook.catalogue))
    event("a send" if decision.is_send else "a hold")
    of_claim, of_row = (
        decide_many([Case(request, later, day.spent) for request in others], day.rulebook, policy, SEED)
        for later in (claimed, folded)
    )
    assert [*map(bytes_of, of_claim)] == [*map(bytes_of, of_row)]


def test_nothing_is_decided_without_questions(small_rulebook: Rulebook) -> None:
    assert decide_many([], small_rulebook, uniform_policy(), SEED) == []
    assert decide_in_order([], {}, {}, small_rulebook, uniform_policy(), SEED) == []
