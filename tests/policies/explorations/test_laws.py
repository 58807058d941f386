"""The laws that every exploration keeps, over scores of every kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.arrays import FloatArray
from policies.explorations.base import Exploration, Scores
from policies.explorations.registry import EXPLORATIONS, find_parameters, make_exploration
from tests.policies.explorations.gaussian import gaussian_scores

N = 7
BIG = 1.7e308
CASES: dict[str, list[dict[str, float]]] = {
    "greedy": [{}, {"sends_only": True}],
    "epsilon-greedy": [{"epsilon": 0.0}, {"epsilon": 0.1}, {"epsilon": 1.0}],
    "softmax": [{"temperature": 1e-300}, {"temperature": 0.5}, {"temperature": 1e6}, {"temperature": BIG}],
    "difference-softmax": [
        {"temperature": 1e-300},
        {"temperature": 0.0025},
        {"temperature": 1.0},
        {"temperature": BIG},
    ],
    "inverse-gap": [{"gamma": 0.0}, {"gamma": 10.0}, {"gamma": BIG}],
    "thompson": [{}, {"draws": 1}, {"draws": 7}],
}
MADE = {name: [make_exploration(name, **parameters) for parameters in cases] for name, cases in CASES.items()}
explorations = pytest.mark.parametrize("made", MADE.values(), ids=MADE)
"""Each law is tried with one example for all cases of an exploration."""

values = st.one_of(
    st.sampled_from([-np.inf, -BIG, -1.0, -5e-324, -0.0, 0.0, 5e-324, 1e-9, 0.5, 1.0, 1.0 + 2.0**-52, BIG]),
    st.floats(-3.0, 3.0),
    st.floats(-BIG, BIG),
)
sends_of_one = st.lists(values, min_size=N, max_size=N)
rows = st.tuples(sends_of_one, st.booleans())
lists = st.lists(rows, min_size=1, max_size=5)
Row = tuple[list[float], bool]


def scores_of(requests: Sequence[Row], deviation: float = 1.0, first: int = 0) -> Scores:
    """Return the scores of requests, none of which has an empty eligible set; who writes into them fails."""
    sends = np.array([sends for sends, _ in requests])
    hold = [hold or max(sends) == -np.inf for sends, hold in requests]
    scores = gaussian_scores(sends, hold, deviation, first=first)
    scores.sends.setflags(write=False)
    scores.hold.setflags(write=False)
    return scores


def explore_one(exploration: Exploration, sends: Sequence[float], hold: bool, deviation: float = 0.0) -> FloatArray:
    (p,) = exploration.explore(scores_of([([*sends], hold)], deviation))
    return np.asarray(p)


def test_every_registered_exploration_is_tested() -> None:
    assert list(CASES) == list(EXPLORATIONS)


@explorations
@given(requests=lists)
@example([([-BIG, BIG, 0.0, 1.0, -np.inf, -1.0, 5e-324], True)])
@example([([5e-324, 0.0, 0.0, 0.0, 0.0, 0.0, -5e-324], True)])
@example([([-np.inf] * N, True), ([-1.0] * N, False)])
@example([([0.0] * N, True), ([BIG] * N, True), ([-BIG] * N, False)])
def test_each_row_is_a_distribution_over_its_eligible_set(made: list[Exploration], requests: list[Row]) -> None:
    scores = scores_of(requests)
    for exploration in made:
        p = exploration.explore(scores)
        assert (p.shape, p.dtype) == ((len(requests), N + 1), np.dtype(np.float64))
        assert (p >= 0.0).all()
        assert not p[scores.with_hold() == -np.inf].any()
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=0, atol=1e-12)


@explorations
@given(requests=lists)
def test_a_row_alone_is_the_same_to_the_byte_as_in_any_list(made: list[Exploration], requests: list[Row]) -> None:
    for exploration in made:
        together = exploration.explore(scores_of(requests))
        for number, request in enumerate(requests):
            assert exploration.explore(scores_of([request], first=number)).tobytes() == together[number].tobytes()


@explorations
@given(sends=sends_of_one, hold=st.booleans(), order=st.permutations(range(N)))
def test_permuting_joint_actions_permutes_the_distribution(
    made: list[Exploration], sends: list[float], hold: bool, order: list[int]
) -> None:
    holds = [hold or max(sends) == -np.inf]
    for exploration in made:
        p = exploration.explore(gaussian_scores(np.array([sends]), holds))
        moved = exploration.explore(gaussian_scores(np.array([sends])[:, order], holds, keys=order))
        np.testing.assert_allclose(moved, p[:, [*order, N]], rtol=0, atol=1e-9)


@explorations
@given(sends=sends_of_one, hold=st.booleans())
def test_a_better_score_is_no_less_probable_and_an_equal_one_equally(
    made: list[Exploration], sends: list[float], hold: bool
) -> None:
    scores, order = np.array(sends), np.argsort(sends)
    for exploration in made:
        p = explore_one(exploration, sends, hold)
        assert (np.diff(p[order]) >= -1e-12).all()
        assert len(set(zip(sends, p.tolist(), strict=False))) == len(np.unique(scores))
        assert (p[:N][scores >= 0.0] >= p[N] - 1e-12).all(), "HOLD is never more probable than a send that earns"


@explorations
@given(value=values.filter(lambda value: value > -np.inf), number=st.integers(0, N))
def test_one_eligible_joint_action_has_probability_one(made: list[Exploration], value: float, number: int) -> None:
    sends = [-np.inf] * N
    if number < N:
        sends[number] = value
    for exploration in made:
        assert explore_one(exploration, sends, hold=number == N)[number] == pytest.approx(1.0, abs=1e-15)


GREEDY_LIMITS = [
    make_exploration("epsilon-greedy", epsilon=0.0),
    make_exploration("softmax", temperature=1e-4),
    make_exploration("difference-softmax", temperature=1e-4),
    make_exploration("inverse-gap", gamma=1e15),
    make_exploration("thompson"),
]
UNIFORM_LIMITS = [
    make_exploration("epsilon-greedy", epsilon=1.0),
    make_exploration("softmax", temperature=1e15),
    make_exploration("difference-softmax", temperature=1e15),
    make_exploration("inverse-gap", gamma=0.0),
]
whole = st.lists(st.sampled_from([-np.inf, -2.0, -1.0, 1.0, 2.0]), min_size=N, max_size=N)


@given(sends=whole, hold=st.booleans())
def test_at_one_end_they_are_greedy(sends: list[float], hold: bool) -> None:
    greedy = explore_one(make_exploration("greedy"), sends, hold)
    for exploration in GREEDY_LIMITS:
        np.testing.assert_allclose(explore_one(exploration, sends, hold), greedy, rtol=0, atol=1e-12)


@given(sends=whole, hold=st.booleans())
def test_at_the_other_end_they_are_uniform(sends: list[float], hold: bool) -> None:
    eligible = np.append(np.array(sends) > -np.inf, hold or max(sends) == -np.inf)
    for exploration in UNIFORM_LIMITS:
        p = explore_one(exploration, sends, hold)
        np.testing.assert_allclose(p, eligible / eligible.sum(), rtol=0, atol=1e-12)


IMPOSSIBLE = [
    ("epsilon-greedy", "epsilon", -0.1),
    ("epsilon-greedy", "epsilon", 1.1),
    ("softmax", "temperature", 0.0),
    ("softmax", "temperature", np.inf),
    ("difference-softmax", "temperature", -1.0),
    ("inverse-gap", "gamma", -1.0),
    ("inverse-gap", "gamma", np.inf),
    ("thompson", "draws", 0),
    ("thompson", "draws", 2.5),
    *((name, parameter, np.nan) for name in EXPLORATIONS for parameter in find_parameters(name) if name != "greedy"),
]


@pytest.mark.parametrize(("name", "parameter", "value"), IMPOSSIBLE)
def test_an_impossible_parameter_is_refused_by_its_name(name: str, parameter: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{parameter} of the exploration '{name}' must .*, not {value}"):
        make_exploration(name, **{parameter: value})
