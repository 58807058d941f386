"""The triangle's notebook: a run that was cut off goes on from what it found."""

from __future__ import annotations

from pathlib import Path

from benchmarks.triangle import Notebook, Outcome
from offline_eval.diagnostics.verdict import Level


def test_what_was_noted_is_known_again_and_another_runs_is_not(tmp_path: Path) -> None:
    found = [Outcome("uniform", Level.caution, 20_000, 0.1, 0.2, {"ipw": True, "dr": False})]
    Notebook(tmp_path / "notes", weeks=3).note(7, 0.2, found)
    again = Notebook(tmp_path / "notes", weeks=3)
    assert again.of(7, 0.2) == found
    assert again.of(7, 0.02) is None
    assert Notebook(tmp_path / "notes", weeks=4).of(7, 0.2) is None
    assert Notebook(None, weeks=3).of(7, 0.2) is None
