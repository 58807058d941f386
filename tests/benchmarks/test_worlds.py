"""The commands about the family: the page of ranges, the figures of a world, and how an interrupted run continues."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.conftest import ROOT, RunBenchmark

pytestmark = pytest.mark.xdist_group("benchmarks")

PLAN = {"weeks": 1, "shoppers": 5, "broadcast_shoppers": 5, "seed": 1}
SIZE = ("--weeks", "1", "--shoppers", "5", "--broadcast-shoppers", "5")
ABOVE = {"value": 1.0, "low": 0.5, "high": 1.5}
AROUND = {"value": 0.1, "low": -0.5, "high": 0.7}
FIGURES = {
    **{"planner": 3.0, "rule": 2.0, "uniform": 1.0, "planner_minus_rule": ABOVE, "rule_minus_uniform": ABOVE},
    **{"channels": {"email": 2.0, "push": 1.0}, "sweep": {"0": 0.0, "3": 2.0, "7": 1.0}, "best_minus_daily": ABOVE},
    **{"credited": 10, "credited_anyway": 5},
}


def keep(directory: Path, name: str, **changes: Any) -> None:
    """Write the figures of a world as an earlier run would have."""
    document = {"plan": PLAN, "figures": {"name": name, **FIGURES, **changes}}
    (directory / f"{name}.json").write_text(json.dumps(document))


def test_the_page_of_the_ranges_is_the_table() -> None:
    """`python -m benchmarks ranges --markdown docs/worlds.md` writes the page."""
    command = [sys.executable, "-m", "benchmarks", "ranges"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs" / "worlds.md").read_text(encoding="utf-8").strip() == printed.strip()


def test_the_width_counts_what_the_worlds_differ_in_and_measures_what_is_missing(
    run_benchmark: RunBenchmark, tmp_path: Path
) -> None:
    keep(tmp_path, "stationary")
    keep(tmp_path, "world-60", rule=-1.0, credited=0)
    keep(tmp_path, "world-61", rule=0.5, channels={"email": 1.0, "push": 2.0}, credited_anyway=1)
    keep(tmp_path, "world-62", best_minus_daily=AROUND)
    keep(tmp_path, "world-63", sweep={"0": 0.0, "3": -1.0, "7": -2.0})
    width = run_benchmark("worlds", "--worlds", "60:64", *SIZE, "--keep", str(tmp_path))
    assert width["worlds.rule_below_no_send"].value == 1
    assert width["worlds.rule_below_uniform_or_no_send"].value == 2
    assert width["worlds.other_best_channel"].value == 1
    assert width["worlds.daily_email_tires"].value == 2
    assert (width["worlds.planner_to_rule.q10"].value, width["worlds.planner_to_rule.q90"].value) == (1.5, 6.0)
    assert (width["worlds.credited_anyway.least"].value, width["worlds.credited_anyway.most"].value) == (0.1, 0.5)
    (tmp_path / "world-61.json").unlink()
    assert "worlds.planner_to_rule.q50" in run_benchmark("worlds", "--worlds", "60:63", *SIZE, "--keep", str(tmp_path))
    measured = json.loads((tmp_path / "world-61.json").read_text())
    assert measured["plan"] == PLAN
    assert set(measured["figures"]["sweep"]) == {"0", "1", "2", "3", "5", "7"}
