"""Holm's procedure: no more false findings than the level allows, and more findings than Bonferroni."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulators.experiments.multiple_tests import chance_of_mean_above_0, find_significant

LEVEL = 0.05


@given(st.lists(st.floats(0.0, 1.0), max_size=12))
def test_holm_finds_what_bonferroni_finds_and_nothing_above_the_level(chances: list[float]) -> None:
    significant = set(find_significant(chances, LEVEL))
    assert {number for number, one in enumerate(chances) if one <= LEVEL / len(chances)} <= significant
    assert all(chances[number] <= LEVEL for number in significant)
    if significant:
        largest = max(chances[number] for number in significant)
        assert all(number in significant for number, one in enumerate(chances) if one < largest)


def test_without_a_difference_any_finding_is_as_rare_as_the_level() -> None:
    """400 tables of 10 tests: a binomial share of .05 lies below .09 but for one case in 10,000."""
    rng = np.random.default_rng(1)
    tables = ([chance_of_mean_above_0(row) for row in rng.normal(size=(10, 200))] for _ in range(400))
    assert np.mean([bool(find_significant(table, LEVEL)) for table in tables]) < 0.09
