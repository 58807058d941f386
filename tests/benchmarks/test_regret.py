"""The comparison of policies and the search among them: small runs of worlds of the family."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.benchmarks.conftest import ROOT

pytestmark = pytest.mark.xdist_group("benchmarks")

SIZE = ("--shoppers", "100", "--weeks", "3", "--processes", "1")
FIGURES = {
    *("share_of_planner", "ratio_to_rule", "gain_over_rule", "optouts_per_1k_sends", "optouts_ratio_to_rule"),
    *("reach_left", "realised_optouts_per_1k_sends"),
}


def run(verb: str, keep: Path, *options: str) -> tuple[dict[str, Any], str]:
    """Run a verb; return its results by name, and what it says of its progress."""
    file = keep.with_suffix(".json")
    command = [sys.executable, "-m", "benchmarks", verb, *SIZE, "--keep", str(keep), "--json", str(file), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in json.loads(file.read_text(encoding="utf-8"))["results"]}, done.stderr


def test_a_comparison_has_its_names_and_continues_where_it_stopped(tmp_path: Path) -> None:
    keep, page = tmp_path / "runs", tmp_path / "page.md"
    worlds = ("--worlds", "60:62", "--policy", "uniform")
    results, progress = run("regret", keep, *worlds)
    assert progress.startswith("8 of 8 runs to do")
    names = {f"regret.{place}.uniform.{figure}" for place in ("world_60", "family") for figure in FIGURES}
    names |= {name.replace("uniform.", "uniform.whole_run.") for name in names}
    assert names <= {*results}
    check_family(results)

    next(keep.glob("*/world-61-*-rule.json")).unlink()
    again, progress = run("regret", keep, *worlds, "--markdown", str(page))
    assert progress.startswith("1 of 8 runs to do, 1 at a time: 1 minute on free cores")
    assert without_times(again) == without_times(results)
    assert f"![value over weeks]({page.stem}.svg)" in page.read_text(encoding="utf-8")
    assert "<svg" in page.with_suffix(".svg").read_text(encoding="utf-8")


def without_times(results: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in results.items() if not name.endswith("_us")}


def check_family(results: dict[str, Any]) -> None:
    """Compute the family's figures from those of its two worlds."""
    worlds = ("world_60", "world_61")
    gains = [results[f"regret.{world}.uniform.gain_over_rule"]["value"] for world in worlds]
    family = {figure: results[f"regret.family.uniform.{figure}"] for figure in (*FIGURES, "worlds_above_rule")}
    expected = (np.mean(gains), *stats.t.interval(0.95, 1, np.mean(gains), stats.sem(gains)))
    gain = family["gain_over_rule"]
    assert (gain["value"], gain["low"], gain["high"]) == pytest.approx(expected)
    values = {
        name: [results[f"regret.{world}.{name}.value"]["value"] for world in worlds] for name in ("uniform", "rule")
    }
    assert family["ratio_to_rule"]["value"] == pytest.approx(sum(values["uniform"]) / sum(values["rule"]))
    assert family["worlds_above_rule"]["value"] == sum(np.array(values["uniform"]) > values["rule"])


def test_a_search_chooses_and_keeps_its_runs(tmp_path: Path) -> None:
    keep, candidates = tmp_path / "runs", ("--policy", "rule", "--policy", "uniform")
    results, _ = run("search", keep, "--worlds", "60:62", *candidates)
    one = results["search.uniform.minus_rule"]
    assert results["search.uniform.is_kept"]["value"] == float(one["low"] > 0.0)
    assert results["search.2_worlds.uniform.difference"]["value"] == one["value"] > one["low"]
    again, progress = run("search", keep, "--worlds", "60:62", *candidates)
    assert (again, progress[:10]) == (results, "0 of 8 run")


def test_a_search_refuses_worlds_of_reported_tables(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "search",
        "--worlds",
        "10:30",
        "--policy",
        "rule",
        "--policy",
        "uniform",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "worlds 20 to 59 are only for reported tables" in done.stderr
