"""The table of the planner: small runs of two scenarios."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.conftest import RunBenchmark


def test_no_baseline_is_above_the_planner(run_benchmark: RunBenchmark, tmp_path: Path) -> None:
    size = ("--shoppers", "60", "--weeks", "3", "--seeds", "1:2")
    results = run_benchmark("planner", "--scenarios", "stationary,fatigue", *size, "--keep", str(tmp_path))
    assert results["planner.baselines_above"].value == 0
    assert results["planner.stationary.value"].value > 0.0
    assert results["planner.fatigue.7_e-mails_minus_planner"].value < 0.0
    assert len(list(tmp_path.glob("*.npz"))) == 2
