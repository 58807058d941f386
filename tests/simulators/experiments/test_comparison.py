"""Comparisons of runs: differences are paired, and intervals cover the mean of clustered values."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.experiments.comparison import (
    ShopRun,
    estimate_clustered_mean,
    estimate_difference,
    estimate_realised_difference,
)


def a_run() -> ShopRun:
    random, count = np.random.default_rng(1), 400
    sends = random.random(count) < 0.5
    return ShopRun(
        name="rule",
        at=np.arange(count, dtype=np.float64) * 9_000.0,
        shoppers=np.array([f"s-{number % 41}" for number in range(count)]),
        sends=sends,
        clicks=sends & (random.random(count) < 0.3),
        opt_outs=np.zeros(count, dtype=np.bool_),
        rewards=random.normal(size=count),
        expected=random.normal(size=count),
    )


def test_a_run_against_itself_has_no_difference() -> None:
    run = a_run()
    for estimate in (
        estimate_difference(run, run, run.last_quarter()),
        estimate_realised_difference(run, run, run.last_quarter()),
    ):
        assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)


def test_every_decision_belongs_to_one_week() -> None:
    run = a_run()
    weeks = run.weeks()
    assert [week.week for week in weeks] == list(range(1, len(weeks) + 1))
    assert sum(week.decisions for week in weeks) == len(run.rewards)
    assert sum(week.clicks for week in weeks) == run.clicks.sum()


def test_the_interval_covers_the_mean_of_clustered_values_at_its_rate() -> None:
    """2,000 samples of 200 clusters: 95 % within ± 2 points, false-alarm rate 4e-5."""
    random = np.random.default_rng(1)
    clusters = np.repeat(np.arange(200), 5).astype(str)
    covered = 0
    for _ in range(2_000):
        values = np.repeat(random.normal(size=200), 5) + random.normal(size=1_000)
        estimate = estimate_clustered_mean(values, clusters)
        covered += estimate.low <= 0.0 <= estimate.high
    assert covered / 2_000 == pytest.approx(0.95, abs=0.02)
