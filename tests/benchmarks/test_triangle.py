"""The triangle on logs of a small shop, and its archive: a run that was cut off goes on from the logs it made."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import triangle
from benchmarks.triangle import Archive, Log, Plan
from offline_eval.diagnostics.verdict import Level


def test_a_small_run_names_its_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs of 60 shoppers are few rows: nothing but the logging policy itself may be trusted."""
    monkeypatch.setattr(triangle, "SHOPPERS", 60)
    plan, archive, said = Plan(logs=2, first_seed=1, weeks=2, workers=1), Archive(tmp_path / "logs"), list[str]()
    found = {each.name: each for each in triangle.measure(plan, archive, said.append)}
    assert said == ["1 of 3 logs", "2 of 3 logs", "3 of 3 logs"]
    assert found["triangle.uniform.trust"].value == 0
    assert found["triangle.thin.rule.verdict"].value > Level.trust
    assert sum(found[f"triangle.logging.{level.text.replace(' ', '_')}"].value for level in Level) == 2
    assert found["triangle.logging.truth_to_earned"].value > 0
    assert len(list((tmp_path / "logs").iterdir())) == 3


def test_a_log_that_is_known_is_judged_the_same_and_not_simulated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, archive = Log(seed=1, epsilon=0.2, weeks=2, shoppers=60), Archive(tmp_path)
    found = triangle.outcomes(archive, log, ("logging", "uniform"))
    assert triangle.outcomes(Archive(None), log, ("logging", "uniform")) == found
    monkeypatch.setattr(triangle, "logged", None)
    assert triangle.outcomes(archive, log, ("logging", "uniform")) == found
    with pytest.raises(TypeError):
        triangle.outcomes(archive, Log(seed=2, epsilon=0.2, weeks=2, shoppers=60), ("logging",))
