"""The table of the planner: small runs of two scenarios, which the next run of the command reads."""

from __future__ import annotations

from pathlib import Path

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
    assert 0 <= results["planner.sweeps_inside"].value <= 2
    assert results["planner.stationary.value"].value > 0.0
    assert results["planner.fatigue.7_e-mails_minus_planner"].value < 0.0
    assert len(list(tmp_path.glob("*.npz"))) == 2
    assert run_benchmark("planner", *options) == results
