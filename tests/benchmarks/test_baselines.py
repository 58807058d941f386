"""The scores of the baselines: a small run has every contender in the scenario."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.conftest import ROOT


def test_every_baseline_has_its_scores(tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    options = ("--shoppers", "5", "--weeks", "8", "--seeds", "1", "--json", str(file))
    command = [sys.executable, "-m", "benchmarks", "baselines", "channel_outage", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    values = {one["name"].removeprefix("baselines.channel_outage."): one["value"] for one in results}
    assert values["no_send.value"] == 0.0
    assert {f"{name}.value" for name in ("rule", "uniform", "push_daily", "3_per_week")} <= values.keys()
    assert "uniform.value_minus_rule" in values
    assert done.stdout.count("| `channel_outage` |") >= 5
