"""The table of the planner: a small run of two worlds of the family, and the options that are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.conftest import ROOT

CONTENDERS = 11
"""No send, seven broadcasts, rule, uniform choice and the planner."""


def test_every_contender_is_measured_and_no_baseline_is_above_the_planner(tmp_path: Path) -> None:
    file, keep = tmp_path / "results.json", tmp_path / "runs"
    size = ("--shoppers", "60", "--weeks", "3", "--seeds", "1:2", "--keep", str(keep), "--json", str(file))
    command = [sys.executable, "-m", "benchmarks", "planner", "--worlds", "60:62", *size]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    value = {one["name"]: one["value"] for one in json.loads(file.read_text(encoding="utf-8"))["results"]}
    assert value["planner.baselines_above"] == 0
    assert len(list(keep.glob("*.npz"))) == 2
    for scenario in ("world-60", "world-61"):
        assert value[f"planner.{scenario}.value"] > 0.0 == value[f"planner.{scenario}.no_send_value"]
        assert value[f"planner.{scenario}.7_e-mails_minus_planner"] < 0.0
        minus_rule = value[f"planner.{scenario}.planner_minus_rule"]
        for name in ("uniform", "push_daily", "3_per_week"):
            key = f"planner.{scenario}.{name}"
            gap = value[f"{key}_value"] - value[f"planner.{scenario}.value"]
            assert value[f"{key}_minus_planner"] == pytest.approx(gap)
            assert value[f"{key}_minus_rule"] == pytest.approx(gap + minus_rule)
        rows = [line for line in done.stdout.splitlines() if line.startswith(f"| {scenario} |")]
        assert len(rows) == 1 + CONTENDERS, "one row in the table of scenarios, and one for each contender"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("planner --worlds 999:1000 --shoppers 10", "no plan is stored for world-999: make one by"),
        ("regret --scenario drift,sunny", "--scenario: scenario must be one of stationary, fatigue, drift"),
        ("ranges --markdown no/such/page.md", "--markdown no/such/page.md: cannot be written"),
        ("worlds --worlds 3", "--worlds: must be from:to, half open, such as 1:4, not '3'"),
        ("incrementality --worlds 12:17", "must be numbers with commas between, such as 12,17, not '12:17'"),
    ],
)
def test_a_bad_option_is_refused_before_anything_runs(options: str, complaint: str) -> None:
    command = [sys.executable, "-m", "benchmarks", *options.split()]
    wide = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    refusal = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=wide)
    assert refusal.returncode == 2
    assert complaint in refusal.stderr
