"""The search keeps a part only if it pays by a one-sided bound, and drops the worse half in the first rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulators.arrays import FloatArray
from simulators.regret.search import SearchResult, lower_bound, search

WORLDS = range(20)
NOISE = np.random.default_rng(3).normal(0.0, 0.02, (26, 20))


class Table:
    """Known values of candidates by world; remembers what was asked."""

    def __init__(self, means: Mapping[str, float]) -> None:
        self._shares = {name: mean + NOISE[number] for number, (name, mean) in enumerate(means.items())}
        self.asked: list[tuple[list[str], int]] = []

    def measure(self, candidates: Sequence[str], worlds: Sequence[int]) -> Mapping[str, FloatArray]:
        self.asked.append(([*candidates], len(worlds)))
        return {name: self._shares[name][list(worlds)] for name in candidates}


def run_search(means: Mapping[str, float]) -> tuple[SearchResult, Table]:
    table = Table(means)
    return search([*means], WORLDS, table.measure), table


def test_two_candidates_meet_in_all_worlds_at_once() -> None:
    result, table = run_search({"simple": 0.5, "better": 0.6})
    assert result.choice == "better"
    assert table.asked == [(["simple", "better"], 20)]


def test_what_does_not_pay_is_left_out() -> None:
    assert run_search({"simple": 0.5, "same": 0.5})[0].choice == "simple"
    assert run_search({"simple": 0.5, "worse": 0.4})[0].choice == "simple"


def test_the_worse_half_is_dropped_after_each_round_and_the_simplest_never() -> None:
    result, table = run_search({"simple": 0.1, "a": 0.9, "b": 0.2, "c": 0.8, "d": 0.3, "e": 0.7})
    assert table.asked == [
        (["simple", "a", "b", "c", "d", "e"], 5),
        (["simple", "a", "c", "e"], 10),
        (["simple", "a", "c"], 20),
    ]
    assert result.choice == "a", "c is worse than a, which was chosen before it"
    assert [(one.challenger, one.choice, one.is_kept) for one in result.comparisons] == [
        ("a", "simple", True),
        ("c", "a", False),
    ]


@given(st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=25))
def test_the_bound_is_that_of_student(differences: list[float]) -> None:
    values = np.array(differences)
    error = values.std(ddof=1) / len(values) ** 0.5
    expected = values.mean() - stats.t.ppf(0.9, len(values) - 1) * error
    assert lower_bound(values) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=8))
def test_the_choice_is_never_a_challenger_without_a_positive_bound(means: list[float]) -> None:
    result, _ = run_search({f"p{number}": mean for number, mean in enumerate(means)})
    kept = {one.challenger for one in result.comparisons if one.bound > 0.0}
    assert result.choice in kept or (result.choice == "p0" and not kept)


@pytest.mark.parametrize("candidates", [[], ["one"], ["same", "same"]])
def test_fewer_than_two_candidates_are_refused(candidates: list[str]) -> None:
    with pytest.raises(ValueError, match="two or more different policies"):
        search(candidates, WORLDS, Table({}).measure)
