"""The triangle on logs of a small shop, and its notebook: a run that was cut off goes on from what it found."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import triangle
from benchmarks.triangle import Notebook, Outcome, Plan
from offline_eval.diagnostics.verdict import Level


def test_a_small_run_names_its_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs of 60 shoppers are few rows: nothing but the logging policy itself may be trusted."""
    monkeypatch.setattr(triangle, "SHOPPERS", 60)
    plan, notebook = Plan(logs=2, first_seed=1, weeks=2, workers=1), Notebook(tmp_path / "notes", weeks=2)
    for seed in (1, 2):
        notebook.note(seed, triangle.WIDE, triangle.outcomes(seed, triangle.WIDE, ("logging", "uniform"), weeks=2))
    notebook.note(1, triangle.THIN, triangle.outcomes(1, triangle.THIN, ("rule",), weeks=2))
    said: list[str] = []
    found = {each.name: each for each in triangle.measure(plan, Notebook(tmp_path / "notes", weeks=2), said.append)}
    assert said == []
    assert found["triangle.uniform.trust"].value == 0
    assert found["triangle.thin.rule.verdict"].value > Level.trust
    assert sum(found[f"triangle.logging.{level.text.replace(' ', '_')}"].value for level in Level) == 2
    assert found["triangle.logging.truth_to_earned"].value > 0


def test_what_was_noted_is_known_again_and_another_runs_is_not(tmp_path: Path) -> None:
    found = [Outcome("uniform", Level.caution, 20_000, 0.1, 0.2, False, {"ipw": True, "dr": False})]
    Notebook(tmp_path / "notes", weeks=3).note(7, 0.2, found)
    again = Notebook(tmp_path / "notes", weeks=3)
    assert again.of(7, 0.2) == found
    assert again.of(7, 0.02) is None
    assert Notebook(tmp_path / "notes", weeks=4).of(7, 0.2) is None
    assert Notebook(None, weeks=3).of(7, 0.2) is None
