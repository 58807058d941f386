from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.arrays import BoolArray, FloatArray
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.explorations.base import Scores
from policies.explorations.greedy import Greedy
from policies.models.floor import check_epsilon, with_floor
from tests.factories import small_document

SPACE = Rulebook.of(Catalogue.from_document(small_document()), 1).space
N = len(SPACE)

scores_of_one = st.lists(st.sampled_from([-np.inf, -1.0, 0.5, 1.0]), min_size=N, max_size=N)
requests = st.lists(st.tuples(scores_of_one, st.booleans()), min_size=1, max_size=5)
epsilons = st.floats(0.01, 1.0)


def arrays_of(requests: Sequence[tuple[list[float], bool]]) -> tuple[FloatArray, BoolArray]:
    """Return scores and eligible sets, none of which is empty."""
    scores = np.array([scores for scores, _ in requests])
    sends = scores > -np.inf
    hold = np.array([hold for _, hold in requests]) | ~sends.any(axis=1)
    return scores, np.concatenate([sends, hold[:, None]], axis=1)


def mix(scores: FloatArray, eligible: BoolArray, epsilon: float) -> FloatArray:
    explored = Greedy().explore(Scores(scores, eligible[:, -1]))
    return with_floor(explored, scores, eligible, SPACE.pair_numbers, epsilon)


def mix_one(explored: FloatArray, scores: FloatArray, numbers: list[int], epsilon: float) -> list[float]:
    """The specification of one row: neighbours found one by one, ties averaged."""
    sends = [number for number in numbers if number < N]
    best = [number for number in sends if scores[number] == max(scores[sends])]
    spread = dict.fromkeys(numbers, 0.0)
    for one in best:
        near = [other for other in sends if (SPACE.slots[other] != SPACE.slots[one]).sum() == 1] or numbers
        for number in near:
            spread[number] += 1 / len(near) / len(best)
    if not best:
        spread[N] = 1.0
    half, size = epsilon / 2, len(numbers)
    return [(1 - epsilon) * explored[number] + half / size + half * spread[number] for number in numbers]


@given(requests, epsilons)
def test_the_floor_is_what_its_formula_says(requests: list[tuple[list[float], bool]], epsilon: float) -> None:
    scores, eligible = arrays_of(requests)
    explored = Greedy().explore(Scores(scores, eligible[:, -1]))
    for row, p in enumerate(mix(scores, eligible, epsilon)):
        numbers = np.flatnonzero(eligible[row]).tolist()
        np.testing.assert_allclose(p[numbers], mix_one(explored[row], scores[row], numbers, epsilon), atol=1e-14)
        assert np.flatnonzero(p).tolist() == numbers


@given(requests, epsilons)
def test_a_row_alone_is_the_same_to_the_byte(requests: list[tuple[list[float], bool]], epsilon: float) -> None:
    scores, eligible = arrays_of(requests)
    alone = [mix(scores[[row]], eligible[[row]], epsilon) for row in range(len(requests))]
    assert np.concatenate(alone).tobytes() == mix(scores, eligible, epsilon).tobytes()


@given(scores_of_one, st.permutations(range(N)), epsilons)
def test_permuting_joint_actions_permutes_the_distribution(
    scores: list[float], order: list[int], epsilon: float
) -> None:
    values, eligible = arrays_of([(scores, True)])
    moved, moved_sets = values[:, order], eligible[:, [*order, N]]
    explored = Greedy().explore(Scores(moved, moved_sets[:, -1]))
    p = with_floor(explored, moved, moved_sets, SPACE.pair_numbers[:, order], epsilon)
    np.testing.assert_allclose(p[:, :-1], mix(values, eligible, epsilon)[:, order], atol=1e-15)


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, float("nan")])
def test_an_impossible_floor_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon"):
        check_epsilon(epsilon, learns=False)
