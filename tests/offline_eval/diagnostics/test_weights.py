"""Weights: the tail index."""

from __future__ import annotations

import numpy as np
import pytest

from offline_eval.diagnostics.weights import Weights


def test_a_heavy_tail_has_a_high_index_and_a_bounded_one_a_low_one() -> None:
    random = np.random.default_rng(12)
    for weights, low, high in (
        (random.pareto(1.0, 50_000), 0.85, 1.2),
        (random.pareto(2.0, 50_000), 0.35, 0.65),
        (random.random(50_000), -1.5, 0.2),
        (random.choice([0.5, 1.5], 50_000), 0.0, 0.0),
    ):
        index = Weights()
        index.add(weights, np.ones(50_000))
        assert low <= index.summary().tail_index <= high


@pytest.mark.parametrize(("rows", "chance", "wanted"), [(20_000, 0.0025, 0.125), (50_000, 0.005, 0.1)])
def test_a_step_between_two_levels_of_weights_is_no_tail(rows: int, chance: float, wanted: float) -> None:
    """A nearly greedy log: most weights lie about 1, a few hundred about 20 or 50, and none can be larger."""
    for seed in range(10):
        random = np.random.default_rng([23, seed])
        logged, target = (level * np.exp(random.normal(0, 0.01, rows)) for level in (chance, wanted))
        rare = random.random(rows) < logged
        index = Weights()
        index.add(np.where(rare, target / logged, (1 - target) / (1 - logged)), random.random(rows))
        assert index.summary().tail_index < 0.5
