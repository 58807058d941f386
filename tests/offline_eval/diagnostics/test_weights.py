"""Weights: the tail index."""

from __future__ import annotations

import numpy as np
import pytest

from offline_eval import IPW, LoggedBatch, Question, evaluate
from offline_eval.diagnostics.weights import Weights
from tests.offline_eval.reporting import codes


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


def find_tail(weight: np.ndarray) -> bool:
    """Return whether a log with these weights has a finding on their tail."""
    rows = LoggedBatch.of(
        reward=np.arange(len(weight)) % 2,
        propensity=np.full(len(weight), 1e-9),
        target_propensity=np.minimum(weight * 1e-9, 1.0),
    )
    return "weight_tail" in codes(evaluate(rows, Question([IPW()])))


@pytest.mark.parametrize("chance", [0.001, 0.003, 0.01, 0.03, 0.1, 0.3])
@pytest.mark.parametrize("rows", [200, 2_000, 20_000])
def test_a_small_largest_weight_is_harmless_whatever_the_shape_of_the_tail(chance: float, rows: int) -> None:
    """Weights of about 1 or 2: the fitted index is above 1 for some shares of the greater ones, and not for others."""
    for seed in range(5):
        random = np.random.default_rng([31, seed])
        high = np.where(random.random(rows) < chance, 1.95, 1.0)
        assert not find_tail(high * np.exp(random.normal(0, 0.003, rows)))


@pytest.mark.parametrize("shape", [1.0, 1.5])
@pytest.mark.parametrize("rows", [1_000, 20_000])
def test_a_heavy_tail_is_still_found(shape: float, rows: int) -> None:
    is_found = [
        find_tail((np.random.default_rng([32, seed]).random(rows) ** -shape - 1) / shape + 0.05) for seed in range(10)
    ]
    assert sum(is_found) >= 9
