"""The laws that every policy keeps, over every policy and many eligible sets."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.arrays import FloatArray, IntArray
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.draw import SampleSeeds
from policies.explorations.greedy import Greedy
from policies.explorations.registry import make_exploration
from policies.explorations.thompson import ThompsonSampling
from policies.models.floor import with_floor
from policies.models.learned import DEFAULT
from policies.models.policy import Assessment, Distributions, Model, Policy
from policies.models.registry import POLICIES
from policies.models.rule import rule_policy
from policies.records.model_input import ModelInput
from policies.records.shopper_numbers import ShopperNumbers
from policies.rules.arbitration import NO_TRIGGER, Eligibility, Eligibles
from policies.shopper.model_inputs import trigger_input
from tests.factories import all_eligible, small_document, trigger
from tests.policies.explorations.gaussian import GaussianModel
from tests.policies.models.test_compiled import some_context
from tests.policies.served_policies import PARAMETERS, SERVED, gaussian_policy

BOOK = Rulebook.of(Catalogue.from_document(small_document()), 1)
N = len(BOOK.space)
INPUTS = [trigger_input({"segment": "loyal", "local_hour": 9.5}, ShopperNumbers(load=(1.5, 1.2)), trigger(), "e-1")]


class FixedScores:
    """A model with scores given by hand."""

    def __init__(self, scores: list[float]) -> None:
        self.scores = np.array(scores)

    def assess(self, inputs: Sequence[ModelInput], rulebook: Rulebook) -> Assessment:
        return Assessment.of_all(inputs, self.scores)


def with_scores(*scores: float, sends_only: bool = False) -> Policy:
    return Policy("fixed", FixedScores([*scores]), Greedy(sends_only=sends_only))


MAKERS: dict[str, Callable[[], Policy]] = {
    **{name: partial(make, BOOK) for name, make in SERVED.items()},
    "negative scores": lambda: with_scores(*[-1.0] * N),
    "two best": lambda: with_scores(1.0, 1.0, *[0.5] * (N - 2)),
    "sends only": lambda: with_scores(*[-1.0] * N, sends_only=True),
}
"""Every registered policy and exploration, and some with scores that these seldom have."""

sets = st.builds(
    lambda sends, hold: all_eligible(BOOK, hold=hold or not sends, sends=np.array(sorted(sends), dtype=np.int64)),
    st.sets(st.integers(0, N - 1)),
    st.booleans(),
)
lists = st.lists(sets, min_size=1, max_size=5)
policies = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


@cache
def build(make: Callable[[], Policy]) -> Policy:
    return make()


@cache
def build_again(make: Callable[[], Policy]) -> Policy:
    return make()


def decide(policy: Policy, eligibilities: Sequence[Eligibility], book: Rulebook = BOOK) -> Distributions:
    eligibles = Eligibles.of(eligibilities, [INPUTS] * len(eligibilities))
    return policy.distributions(eligibles, book, seeds_of(range(len(eligibilities))))


def seeds_of(numbers: Iterable[int]) -> SampleSeeds:
    return SampleSeeds(b"application seed", [f"e-{number}" for number in numbers])


def eligible(sends: list[int]) -> list[Eligibility]:
    return [all_eligible(BOOK, sends=np.array(sends, dtype=np.int64))]


@pytest.mark.parametrize("name", POLICIES)
def test_a_registered_policy_has_the_name_by_which_it_is_found(name: str) -> None:
    policy = POLICIES[name].make(BOOK)
    assert (policy.name, policy.learns) == (name, POLICIES[name].learns)


@policies
@given(eligibilities=lists)
def test_each_row_is_a_distribution_over_its_eligible_set(
    make: Callable[[], Policy], eligibilities: list[Eligibility]
) -> None:
    p, mask = decide(build(make), eligibilities).probabilities, Eligibles.of(eligibilities, []).mask
    assert p.shape == (len(eligibilities), N + 1)
    assert p.dtype == np.float64
    assert (p >= 0).all()
    assert not p[~mask].any()
    assert (abs(p.sum(axis=1) - 1.0) < 1e-12).all()


@policies
@given(eligibilities=lists)
def test_every_eligible_joint_action_has_the_floor(
    make: Callable[[], Policy], eligibilities: list[Eligibility]
) -> None:
    policy = build(make)
    p = decide(policy, eligibilities).probabilities
    for row, eligibility in zip(p, eligibilities, strict=True):
        numbers = [*eligibility.sends, *([N] * eligibility.hold)]
        floor = (1.0 - policy.hold_share) * policy.epsilon / 2 / eligibility.size
        assert row[numbers].min() >= floor * (1 - 1e-9)


@policies
@given(eligibilities=lists, data=st.data())
def test_a_row_alone_is_the_same_to_the_byte_as_in_any_list(
    make: Callable[[], Policy], eligibilities: list[Eligibility], data: st.DataObject
) -> None:
    """Each request has inputs of its own, one or two triggers, and a policy that has seen other inputs before."""
    policy, other, chance = build(make), build_again(make), random.Random(data.draw(st.integers(0, 99)))
    inputs = [[some_input(chance) for _ in range(chance.choice([1, 1, 2]))] for _ in eligibilities]
    asked = [answer_triggers(one, len(asked), chance) for one, asked in zip(eligibilities, inputs, strict=True)]
    together = policy.distributions(Eligibles.of(asked, inputs), BOOK, seeds_of(range(len(asked))))
    for row, (eligibility, one) in enumerate(zip(asked, inputs, strict=True)):
        alone = other.distributions(Eligibles.of([eligibility], [one]), BOOK, seeds_of([row]))
        assert alone.probabilities.tobytes() == together.probabilities[row].tobytes()
        sends = eligibility.sends
        for known_alone, known_together in ((alone.p_out, together.p_out), (alone.p_click, together.p_click)):
            assert rows_of(known_alone, 0, sends) == rows_of(known_together, row, sends)


def rows_of(values: FloatArray | None, row: int, sends: IntArray) -> bytes:
    """Return the probabilities of sends, without bytes where there is nothing to know."""
    return b"" if values is None else values[row, sends].tobytes()


def some_input(chance: random.Random) -> ModelInput:
    """Return an input in some context, with some numbers and perhaps a price."""
    names = [*BOOK.space.channels, *BOOK.space.categories]
    numbers = ShopperNumbers(
        presence=(chance.gauss(0, 1), chance.gauss(0, 1)),
        load=(4 * chance.random(), 4 * chance.random()),
        own_rate=chance.gauss(0, 1),
        own_channel={name: chance.gauss(0, 1) for name in names[:2]},
        own_category={name: chance.gauss(0, 1) for name in names[2:]},
    )
    return ModelInput(some_context(chance), numbers, chance.choice([None, 10.0, 99.5]))


def answer_triggers(eligibility: Eligibility, triggers: int, chance: random.Random) -> Eligibility:
    """Return an eligible set whose sends answer triggers at random, where there is more than one."""
    if triggers == 1:
        return eligibility
    answers = np.full(N, NO_TRIGGER)
    answers[eligibility.sends] = [chance.randrange(triggers) for _ in eligibility.sends]
    return Eligibility(eligibility.verdicts, eligibility.hold, answers)


@policies
@given(eligibilities=lists)
def test_eligible_sets_and_inputs_stay_as_they_are(
    make: Callable[[], Policy], eligibilities: list[Eligibility]
) -> None:
    inputs = [deepcopy(INPUTS) for _ in eligibilities]
    eligibles = Eligibles.of(eligibilities, inputs)
    for array in (eligibles.verdicts, eligibles.hold, eligibles.mask):
        array.setflags(write=False)
    build(make).distributions(eligibles, BOOK, seeds_of(range(len(eligibilities))))
    assert inputs == [INPUTS] * len(eligibilities)


@pytest.mark.parametrize("name", PARAMETERS)
@given(eligibility=sets, order=st.permutations(range(N)))
def test_permuting_joint_actions_permutes_the_distribution(
    name: str, eligibility: Eligibility, order: list[int]
) -> None:
    """Without the floor, whose neighbours are known by the slots (`test_floor` permutes these, too)."""
    exploration, places = make_exploration(name, **PARAMETERS[name]), np.argsort(order)
    policy, moved = (replace(gaussian_policy(BOOK, exploration, keys), epsilon=0.0) for keys in (None, order))
    (p,) = decide(policy, [eligibility]).probabilities
    (q,) = decide(moved, [all_eligible(BOOK, hold=eligibility.hold, sends=places[eligibility.sends])]).probabilities
    np.testing.assert_allclose(q, p[[*order, N]], rtol=0, atol=1e-12)


@policies
def test_one_eligible_joint_action_has_probability_one(make: Callable[[], Policy]) -> None:
    assert decide(make(), eligible([])).probabilities.tolist() == [[0.0] * N + [1.0]]


CART, WISHLIST = ModelInput({"trigger": "cart_abandoned"}), ModelInput({"trigger": "wishlist"})


def is_wishlist(model_input: ModelInput) -> bool:
    return model_input.context["trigger"] == "wishlist"


def test_a_send_is_assessed_in_the_context_of_the_trigger_that_it_answers() -> None:
    class ByTrigger:
        def assess(self, inputs: Sequence[ModelInput], rulebook: Rulebook) -> Assessment:
            scores = np.array([[1.0 if is_wishlist(one) else 0.5] * N for one in inputs])
            return Assessment(scores, scores / 10)

    triggers = [[CART], [CART, WISHLIST]]
    first, second = all_eligible(BOOK), Eligibility(np.zeros(N, np.uint8), True, np.array([0, 1] * (N // 2)))
    policy = Policy("by trigger", ByTrigger(), epsilon=0.0)
    distributions = policy.distributions(Eligibles.of([first, second], triggers), BOOK)
    assert distributions.probabilities[0].tolist() == [1 / N] * N + [0.0]
    assert distributions.probabilities[1].tolist() == [0.0, 2 / N] * (N // 2) + [0.0]
    assert distributions.p_out is not None
    assert distributions.p_out[:, :2].tolist() == [[0.05, 0.05], [0.05, 0.1]]


def test_of_a_policy_that_samples_the_floor_and_p_out_are_those_of_the_posterior_mean() -> None:
    model, eligibility = GaussianModel(np.linspace(0.2, -0.5, N), 2.0), all_eligible(BOOK)
    policy = Policy("sampling", model, ThompsonSampling(draws=3), epsilon=0.2)
    served, explored = (decide(one, [eligibility]) for one in (policy, replace(policy, epsilon=0.0)))
    mask = Eligibles.of([eligibility], []).mask
    expected = with_floor(explored.probabilities, model.means[None], mask, BOOK.space.pair_numbers, 0.2)
    assert served.probabilities.tobytes() == expected.tobytes()
    assert explored.probabilities[0, 0] < 1.0
    assert served.p_out is not None
    assert served.p_out.tolist() == [np.linspace(0.01, 0.02, N).tolist()]


def test_the_triggers_of_a_request_are_scored_by_the_same_drawn_models() -> None:
    """In the second context every score is higher by 1, so the sends that answer the second trigger are better."""

    class ByTrigger(GaussianModel):
        def assess(self, inputs: Sequence[ModelInput], rulebook: Rulebook) -> Assessment:
            gains = np.array([[float(is_wishlist(one))] for one in inputs])
            assessment = super().assess(inputs, rulebook)
            return Assessment(
                assessment.scores + gains, sample=lambda seeds, draws: self.sample(seeds, draws) + gains[:, None]
            )

    answers = np.array([0, 1] * (N // 2))
    both = Eligibility(np.zeros(N, np.uint8), True, answers)
    triggers = [[CART], [CART, WISHLIST]]
    model, exploration = ByTrigger(np.zeros(N), 1.0), ThompsonSampling(draws=500)
    eligibles = Eligibles.of([all_eligible(BOOK), both], triggers)
    policy = Policy("by trigger", model, exploration, epsilon=0.0)
    p = policy.distributions(eligibles, BOOK, seeds_of([0, 1])).probabilities

    tables = model.sample(seeds_of([0, 1]).of(np.array([1])), 500)[0] + answers
    expected = np.bincount(np.where(tables.max(axis=1) < 0, N, tables.argmax(axis=1)), minlength=N + 1) / 500
    np.testing.assert_allclose(p[1], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "seeds"), [(FixedScores([1.0] * N), seeds_of([0])), (GaussianModel(np.ones(N), 1.0), None)]
)
def test_sampling_needs_a_model_that_samples_and_seeds(model: Model, seeds: SampleSeeds | None) -> None:
    policy = Policy("sampling", model, ThompsonSampling())
    with pytest.raises(ValueError, match="'thompson' needs a model that samples scores, and seeds of the requests"):
        policy.distributions(Eligibles.of([all_eligible(BOOK)], [INPUTS]), BOOK, seeds)


def test_a_fresh_service_sends() -> None:
    assert decide(DEFAULT.make(BOOK), [all_eligible(BOOK)]).probabilities[0, -1] < 0.02


def test_the_rule_takes_the_first_message_channel_and_delay() -> None:
    (p,) = decide(rule_policy(epsilon=0.0), eligible([3, 5, 6])).probabilities
    assert np.flatnonzero(p).tolist() == [3]


def test_a_learning_policy_needs_a_floor() -> None:
    with pytest.raises(ValueError, match=r"at least 0\.01"):
        Policy("default", learns=True, epsilon=0.005)
    assert Policy("rule", epsilon=0.0).epsilon == 0.0
