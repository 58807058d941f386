"""The benchmark of the family: its page of ranges, its figures of a world, and how an interrupted run continues."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.worlds.measuring import Archive, Plan, WorldFigures
from benchmarks.worlds.ranges_page import to_page
from benchmarks.worlds.width import to_measurements
from simulators.experiments.mean_estimate import MeanEstimate
from simulators.family.draw import draw_world

PLAN = Plan(shoppers=8, broadcast_shoppers=8, seed=1)
WORLD = replace(draw_world(60), weeks=1, visits_per_week=8.0)
ABOVE, AROUND = MeanEstimate(1.0, 0.5, 1.5), MeanEstimate(0.1, -0.5, 0.7)
FIGURES = WorldFigures(
    "stationary", 3.0, 2.0, 1.0, ABOVE, ABOVE, {"email": 2.0, "push": 1.0}, {"0": 0.0, "3": 2.0, "7": 1.0}, ABOVE, 10, 5
)


def test_the_page_of_the_ranges_is_the_table() -> None:
    """`python -m benchmarks ranges --markdown docs/worlds.md` writes the page."""
    page = Path(__file__).parents[2] / "docs" / "worlds.md"
    assert page.read_text(encoding="utf-8") == to_page()


def test_a_run_continues_with_the_figures_that_it_kept(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    first = archive.read_or_measure(WORLD, PLAN)
    assert first.credited >= first.credited_anyway
    assert set(first.sweep) == {"0", "1", "2", "3", "5", "7"}
    file = tmp_path / "world-60.json"
    file.write_text(file.read_text().replace(f'"rule": {first.rule}', '"rule": 77.0'))
    assert archive.read_or_measure(WORLD, PLAN) == replace(first, rule=77.0)
    assert archive.read_or_measure(WORLD, replace(PLAN, seed=2)).rule != 77.0, "figures of another plan do not count"


def test_the_width_counts_what_the_worlds_differ_in() -> None:
    worlds = [
        FIGURES,
        replace(FIGURES, rule=-1.0, credited=0),
        replace(FIGURES, rule=0.5, channels={"email": 1.0, "push": 2.0}, credited_anyway=1),
        replace(FIGURES, best_minus_daily=AROUND),
        replace(FIGURES, sweep={"0": 0.0, "3": -1.0, "7": -2.0}),
    ]
    width = {one.name.removeprefix("worlds."): one.value for one in to_measurements(worlds, FIGURES)}
    assert (width["rule_below_no_send"], width["rule_below_uniform_or_no_send"]) == (1, 2)
    assert (width["other_best_channel"], width["daily_email_tires"]) == (1, 3)
    assert (width["planner_to_rule.q10"], width["planner_to_rule.q90"]) == (1.5, 6.0)
    assert (width["credited_anyway.least"], width["credited_anyway.most"]) == (0.1, 0.5)


@pytest.mark.parametrize("verb", ["worlds", "ranges"])
def test_the_verbs_explain_themselves(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert "worlds are drawn" in result.output or "20 to 59 only for reported tables" in " ".join(result.output.split())
