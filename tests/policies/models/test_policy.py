"""The laws that every policy keeps, over every policy and many eligible sets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.models.exploration import Greedy, check_epsilon, with_floor
from policies.models.learned import DEFAULT
from policies.models.policy import Assessment, Policy
from policies.models.registry import POLICIES
from policies.models.rule import rule_policy
from policies.rules.arbitration import Eligibility
from policies.shopper.context import trigger_context
from tests.factories import all_eligible, small_document, trigger

BOOK = Rulebook.of(Catalogue.from_document(small_document()), 1)
N = len(BOOK.space)
CONTEXTS = [trigger_context({"segment": "loyal", "local_hour": 9.5}, trigger())]


class FixedScores:
    """A model with scores given by hand."""

    def __init__(self, scores: list[float]) -> None:
        self.scores = np.array(scores)

    def assess(self, context: object, rulebook: Rulebook) -> Assessment:
        return Assessment(self.scores)


def with_scores(*scores: float, sends_only: bool = False) -> Policy:
    return Policy("fixed", FixedScores([*scores]), Greedy(sends_only=sends_only))


MAKERS: dict[str, Callable[[], Policy]] = {
    **{name: partial(factory.make, BOOK) for name, factory in POLICIES.items()},
    "negative scores": lambda: with_scores(*[-1.0] * N),
    "two best": lambda: with_scores(1.0, 1.0, *[0.5] * (N - 2)),
    "sends only": lambda: with_scores(*[-1.0] * N, sends_only=True),
}
"""Every registered policy, and some with scores that these seldom have."""

subsets = st.sets(st.integers(0, N - 1)).map(sorted)
policies = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


def eligible(sends: list[int], hold: bool) -> Eligibility:
    return all_eligible(BOOK, hold=hold or not sends, sends=np.array(sends, dtype=np.int64))


@pytest.mark.parametrize("name", POLICIES)
def test_a_registered_policy_has_the_name_by_which_it_is_found(name: str) -> None:
    policy = POLICIES[name].make(BOOK)
    assert (policy.name, policy.learns) == (name, POLICIES[name].learns)


@policies
@given(sends=subsets, hold=st.booleans())
def test_it_is_a_distribution_over_the_eligible_set(make: Callable[[], Policy], sends: list[int], hold: bool) -> None:
    eligibility = eligible(sends, hold)
    p = make().distribution(CONTEXTS, eligibility, BOOK).probabilities
    assert p.shape == (eligibility.size,)
    assert p.dtype == np.float64
    assert (p >= 0).all()
    assert abs(p.sum() - 1.0) < 1e-12


@policies
@given(sends=subsets, hold=st.booleans())
def test_every_eligible_joint_action_has_the_floor(make: Callable[[], Policy], sends: list[int], hold: bool) -> None:
    eligibility, policy = eligible(sends, hold), make()
    p = policy.distribution(CONTEXTS, eligibility, BOOK).probabilities
    assert p.min() >= policy.epsilon / 2 / eligibility.size * (1 - 1e-9)


@policies
@given(sends=subsets)
def test_the_same_question_has_the_same_answer(make: Callable[[], Policy], sends: list[int]) -> None:
    first = make().distribution(CONTEXTS, eligible(sends, True), BOOK).probabilities
    again = make().distribution(CONTEXTS, eligible(sends, True), BOOK).probabilities
    assert first.tobytes() == again.tobytes()


@policies
def test_one_eligible_joint_action_has_probability_one(make: Callable[[], Policy]) -> None:
    assert make().distribution(CONTEXTS, eligible([], True), BOOK).probabilities.tolist() == [1.0]


@policies
@given(sends=subsets)
def test_opt_out_probabilities_have_the_shape_of_the_distribution(make: Callable[[], Policy], sends: list[int]) -> None:
    p = make().distribution(CONTEXTS, eligible(sends, True), BOOK)
    assert p.p_out is None or p.p_out.shape == p.probabilities.shape


@given(
    scores=st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), min_size=N, max_size=N),
    order=st.permutations(range(N)),
)
def test_permuting_joint_actions_permutes_the_distribution(scores: list[float], order: list[int]) -> None:
    slots, values = BOOK.space.slots, np.array(scores)
    plain = with_floor(Greedy().explore(values, hold=True), values, slots, 0.1)
    moved = with_floor(Greedy().explore(values[order], hold=True), values[order], slots[order], 0.1)
    np.testing.assert_allclose(moved[:-1], plain[:-1][order], atol=1e-15)


@given(scores=st.lists(st.sampled_from([-1.0, 0.5, 1.0]), min_size=1, max_size=N), epsilon=st.floats(0.01, 1.0))
def test_the_floor_is_what_its_formula_says(scores: list[float], epsilon: float) -> None:
    """Check against a slow reading of the formula: neighbours found one by one, ties averaged."""
    values, size = np.array(scores), len(scores) + 1
    slots = BOOK.space.slots[: len(scores)]
    explored = Greedy().explore(values, hold=True)
    best = np.flatnonzero(values == values.max())
    spread = np.zeros(size)
    for one in best:
        neighbours = [j for j in range(len(scores)) if (slots[j] != slots[one]).sum() == 1]
        if neighbours:
            spread[neighbours] += 1 / len(neighbours) / len(best)
        else:
            spread += 1 / size / len(best)
    expected = (1 - epsilon) * explored + epsilon / 2 / size + epsilon / 2 * spread
    np.testing.assert_allclose(with_floor(explored, values, slots, epsilon), expected, atol=1e-14)


def test_hold_wins_only_against_negative_scores() -> None:
    assert Greedy().explore(np.array([0.0]), hold=True).tolist() == [1.0, 0.0]
    assert Greedy().explore(np.array([-1e-9]), hold=True).tolist() == [0.0, 1.0]


def test_a_fresh_service_sends() -> None:
    p = DEFAULT.make(BOOK).distribution(CONTEXTS, all_eligible(BOOK), BOOK).probabilities
    assert p[-1] < 0.02


def test_the_rule_takes_the_first_message_channel_and_delay() -> None:
    p = rule_policy(epsilon=0.0).distribution(CONTEXTS, eligible([3, 5, 6], True), BOOK).probabilities
    assert p.tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, float("nan")])
def test_an_impossible_floor_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon"):
        check_epsilon(epsilon, learns=False)


def test_a_learning_policy_needs_a_floor() -> None:
    with pytest.raises(ValueError, match=r"at least 0\.01"):
        Policy("default", learns=True, epsilon=0.005)
    assert Policy("rule", epsilon=0.0).epsilon == 0.0
