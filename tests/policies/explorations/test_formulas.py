"""Each exploration is what its formula says, written for one request in plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.explorations.base import Exploration, Scores
from policies.explorations.difference_softmax import DifferenceSoftmax
from policies.explorations.epsilon_greedy import EpsilonGreedy
from policies.explorations.inverse_gap import InverseGapWeighting
from policies.explorations.softmax import Softmax

N = 6
HOLD = "HOLD"
Eligible = Mapping[int | str, float]
"""Joint action → score, for what is eligible; HOLD's score is 0."""
Distribution = Mapping[int | str, float]


def best_of(eligible: Eligible) -> list[int | str]:
    best = [action for action, score in eligible.items() if score == max(eligible.values())]
    return [action for action in best if action != HOLD] or [HOLD]


def epsilon_greedy(eligible: Eligible) -> Distribution:
    best = best_of(eligible)
    return {action: 0.7 * (action in best) / len(best) + 0.3 / len(eligible) for action in eligible}


def softmax(eligible: Eligible) -> Distribution:
    weights = {action: math.exp(score / 0.8) for action, score in eligible.items()}
    return {action: weight / sum(weights.values()) for action, weight in weights.items()}


def difference_softmax(eligible: Eligible) -> Distribution:
    sizes = [abs(score) for action, score in eligible.items() if action != HOLD]
    average = sum(sizes) / len(sizes) if any(sizes) else 1.0
    weights = {action: math.exp((score - average) / average / 0.8) for action, score in eligible.items()}
    return {action: weight / sum(weights.values()) for action, weight in weights.items()}


def inverse_gap(eligible: Eligible) -> Distribution:
    """For one best joint action the paper's formula; the mean of it over several best sends."""
    best, top = best_of(eligible), max(eligible.values())
    p = dict.fromkeys(eligible, 0.0)
    for greedy in best:
        others = {action: 1 / (len(eligible) + 2.5 * (top - score)) for action, score in eligible.items()}
        others[greedy] += 1 - sum(others.values())
        p = {action: p[action] + others[action] / len(best) for action in eligible}
    return p


SPECIFICATIONS: list[tuple[Exploration, Callable[[Eligible], Distribution]]] = [
    (EpsilonGreedy(epsilon=0.3), epsilon_greedy),
    (Softmax(temperature=0.8), softmax),
    (DifferenceSoftmax(temperature=0.8), difference_softmax),
    (InverseGapWeighting(gamma=2.5), inverse_gap),
]
one_score = st.one_of(st.sampled_from([-np.inf, 0.0, 1.0]), st.integers(-5_000, 5_000).map(lambda score: score / 1_000))
sends_of_one = st.lists(one_score, min_size=N, max_size=N)
"""Scores of an ordinary size; `test_laws` has tiny and huge ones, with which the plain formulae fail."""


@pytest.mark.parametrize(("exploration", "formula"), SPECIFICATIONS, ids=lambda part: getattr(part, "name", ""))
@given(sends=sends_of_one, hold=st.booleans())
def test_it_is_what_its_formula_says(
    exploration: Exploration, formula: Callable[[Eligible], Distribution], sends: list[float], hold: bool
) -> None:
    eligible: dict[int | str, float] = {number: score for number, score in enumerate(sends) if score > -np.inf}
    if hold or not eligible:
        eligible[HOLD] = 0.0
    (p,) = exploration.explore(Scores(np.array([sends]), np.array([HOLD in eligible])))
    expected = formula(eligible)
    assert p.tolist() == pytest.approx([expected.get(number, 0.0) for number in [*range(N), HOLD]], abs=1e-9)


@given(
    sends=st.lists(st.sampled_from([-np.inf, -3.0, -1.0, 0.0, 0.1, 2.0]), min_size=N, max_size=N),
    unit=st.sampled_from([1e-200, 0.01, 7.0, 1e200]),
)
def test_the_difference_softmax_knows_no_unit(sends: list[float], unit: float) -> None:
    exploration, hold = DifferenceSoftmax(temperature=0.3), np.array([True])
    in_another_unit = exploration.explore(Scores(np.array([sends]) * unit, hold))
    np.testing.assert_allclose(in_another_unit, exploration.explore(Scores(np.array([sends]), hold)), atol=1e-9)


def test_a_recovery_penalty_in_the_score_gives_the_papers_probabilities() -> None:
    """score(a) = μ⁺(a) - γ·2^(-d/h)·m gives the softmax of s*(a) / τ; a term that all sends share changes nothing."""
    earned, days, gamma, half_life, tau = (
        np.array([1.01, 1.0, 0.99]),
        np.array([1.0, 30.0, np.inf]),
        0.017,
        15.0,
        0.0025,
    )
    penalties = gamma * 2 ** (-days / half_life)
    stars = (earned - 1.0) - penalties  # the average send earns 1
    scores = earned - penalties
    (p,) = DifferenceSoftmax(tau / scores.mean()).explore(Scores(scores[None], np.array([False])))
    weights = np.exp((stars - stars.max()) / tau)
    assert p[:-1].tolist() == pytest.approx((weights / weights.sum()).tolist(), abs=1e-12)
