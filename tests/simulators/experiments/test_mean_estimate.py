"""Means over seeds and shoppers: intervals hold the truth at their rate, and stay inside what is possible."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.experiments.mean_estimate import (
    MeanEstimate,
    estimate_over_seeds,
    estimate_paired_mean,
    estimate_paired_ratio,
)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6))
def test_an_interval_stays_inside_what_is_possible(shares: list[float]) -> None:
    estimate = estimate_over_seeds(shares, 0.0, 1.0)
    assert 0.0 <= estimate.low <= estimate.value <= estimate.high <= 1.0


@pytest.mark.parametrize(("seeds", "shared"), [(1, 0.0), (2, 0.0), (3, 0.5), (12, 0.5)])
def test_a_paired_interval_holds_the_truth_at_least_at_its_rate(seeds: int, shared: float) -> None:
    """1,000 studies, in which a seed moves all its shoppers: below 93 % has a chance of 1 in 300 at 95 %."""
    random, held = np.random.default_rng(1), 0
    for _ in range(1_000):
        by_seed = [1.0 + shared * random.normal() + random.normal(size=40) for _ in range(seeds)]
        estimate = estimate_paired_mean(by_seed)
        held += estimate.low <= 1.0 <= estimate.high
    assert held >= 930


def test_a_paired_ratio_holds_the_truth_at_its_rate() -> None:
    random, held = np.random.default_rng(2), 0
    for _ in range(1_000):
        other = 1.0 + random.normal(size=80)
        ratio = estimate_paired_ratio([1.05 * other + 0.3 * random.normal(size=80)], [other])
        held += ratio is not None and ratio.low <= 1.05 <= ratio.high
    assert held >= 930


def test_no_ratio_is_taken_to_a_value_that_may_be_zero() -> None:
    worthless = np.array([-1.0, 1.0, 0.5])
    assert estimate_paired_ratio([np.ones(3)], [worthless]) is None
    assert estimate_paired_ratio([np.ones(3)], [np.zeros(3)]) is None


def test_a_contender_does_not_differ_from_itself() -> None:
    values = [np.array([0.1, 0.7, 1 / 3]), np.array([0.2, 0.1, 0.9])]
    assert estimate_paired_mean([one - one for one in values]) == MeanEstimate(0.0, 0.0, 0.0)
    ratio = estimate_paired_ratio([values[0]] * 3, [values[0]] * 3)
    assert ratio is None or (ratio.low, ratio.high) == pytest.approx((1.0, 1.0))


def test_one_shopper_of_one_seed_tells_no_bounds() -> None:
    estimate = estimate_paired_mean([np.array([0.3])])
    assert (estimate.value, estimate.low, estimate.high, estimate.sign) == (0.3, -inf, inf, 0)
