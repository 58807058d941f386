"""Duplicates: repeated rows are found, and equal rows that are not repeats are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from offline_eval import (
    DR,
    IPW,
    LoggedBatch,
    Question,
    evaluate,
)
from offline_eval.diagnostics.duplicates import Duplicates, Repeats
from tests.offline_eval.reporting import codes, report_of
from tests.reference.worlds import RewardWorld


def test_rows_loaded_twice_are_noticed_and_discrete_rows_are_not_blamed(world: RewardWorld) -> None:
    random = np.random.default_rng(8)
    rows = world.log(5_000, random)
    assert "duplicated_rows" not in codes(report_of(rows))
    fine = replace(rows, v_target=random.random(5_000))
    assert "duplicated_rows" not in codes(report_of(fine))
    twice = evaluate([fine, fine], Question(estimators=[DR()]))
    assert "duplicated_rows" in codes(twice)
    assert twice.diagnostics.repeats.share == pytest.approx(0.5)


def test_a_name_that_comes_twice_is_a_row_loaded_twice(world: RewardWorld) -> None:
    rows = replace(
        world.log(4_000, np.random.default_rng(20)), events=np.array([f"e-{n % 3_000}" for n in range(4_000)])
    )
    assert evaluate(rows, Question(estimators=[IPW()])).diagnostics.repeats.share == pytest.approx(0.25)


def test_however_often_a_log_with_names_was_loaded_it_is_known(world: RewardWorld) -> None:
    names = np.array([f"e-{n}" for n in range(500)])
    rows = replace(world.log(500, np.random.default_rng(21)), events=names)
    for times in (1, 2, 6, 10):
        repeats = evaluate([rows] * times, Question(estimators=[IPW()])).diagnostics.repeats
        assert repeats.known
        assert repeats.share == pytest.approx(1 - 1 / times)
    one, two = Duplicates(), Duplicates()
    one.add(rows)
    two.add(rows)
    assert (one + two).repeats() == Repeats(0.5, known=True)


def test_shoppers_who_meet_the_same_again_are_no_duplicates(world: RewardWorld) -> None:
    """Values are those of the shopper's unchanged context: rows repeat, but so do values of unequal rows."""
    random = np.random.default_rng(19)
    batch = random.random(1_500)[np.repeat(np.arange(1_500), 4)]
    rows = replace(world.log(6_000, random), v_target=batch)
    assert not evaluate(rows, Question(estimators=[DR()])).diagnostics.repeats.known


def test_duplicates_are_found_in_constant_memory() -> None:
    """Beyond what is kept, a fixed fraction of the fingerprints is followed: the share stays right."""
    duplicates = Duplicates()
    random = np.random.default_rng(14)
    ones = np.ones(50_000)
    for number in range(20):
        v = np.random.default_rng(number // 2).random(50_000) if number < 10 else random.random(50_000)
        duplicates.add(LoggedBatch(ones, ones, ones, ones, v))
    assert duplicates.repeats().share == pytest.approx(0.25, abs=0.01)
