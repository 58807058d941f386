"""The table of the planner: small runs of two scenarios, and Holm's procedure over all differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.learning.planner import Comparison, Sweep, find_above
from simulators.experiments.mean_estimate import MeanEstimate
from tests.benchmarks.conftest import RunBenchmark


def test_no_baseline_is_above_the_planner(run_benchmark: RunBenchmark, tmp_path: Path) -> None:
    options = (
        "--scenarios",
        "stationary,fatigue",
        "--shoppers",
        "60",
        "--weeks",
        "3",
        "--seeds",
        "1:2",
        "--keep",
        str(tmp_path),
    )
    results = run_benchmark("planner", *options)
    assert results["planner.baselines_above"].value == 0
    assert results["planner.stationary.value"].value > 0.0
    assert results["planner.fatigue.7_e-mails_minus_planner"].value < 0.0
    assert len(list(tmp_path.glob("*.npz"))) == 2
    assert run_benchmark("planner", *options) == results


def comparisons(*chances: float) -> list[Comparison]:
    nothing = MeanEstimate(0.0, 0.0, 0.0)
    return [Comparison(str(number), "rule", nothing, chance) for number, chance in enumerate(chances)]


@pytest.mark.parametrize(
    ("chances", "above"), [((0.02, 0.6), 1), ((0.03, 0.6), 0), ((0.04, 0.02), 2), ((0.04, 0.03), 0), ((), 0)]
)
def test_holm_counts_every_comparison(chances: tuple[float, ...], above: int) -> None:
    assert len(find_above(comparisons(*chances))) == above


def test_a_sweep_is_inside_where_the_best_is_neither_none_nor_daily() -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.1, 50)
    values = {"no send": 0.0 * noise, **{f"{count} e-mails": count * 0.1 + noise for count in (1, 2, 3, 5)}}
    assert Sweep.of({**values, "7 e-mails": noise - 0.5}).is_inside
    assert Sweep.of({**values, "7 e-mails": noise + 9.0}).best == 7
    assert not Sweep.of({**values, "7 e-mails": noise + 9.0}).is_inside
