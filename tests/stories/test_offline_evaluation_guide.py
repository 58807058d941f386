"""The guide to offline evaluation: its script runs, and the files and options that it names exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "offline-evaluation.md").read_text(encoding="utf-8")


def test_the_script_runs() -> None:
    script = ROOT / "docs" / "examples" / "offline_evaluation.py"
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "1. A CSV of one's own" in result.stdout
    assert "bandit estimates do not see that" in result.stdout


def test_what_the_guide_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", GUIDE):
        assert (ROOT / "docs" / target).exists(), target
    for path in re.findall(r"`((?:offline_eval|tests|docs)/[\w/.]+)`", GUIDE):
        assert (ROOT / path).exists(), path


def test_the_options_of_the_guide_exist() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "decision_service", "evaluate", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "250", "PATH": ""},
    )
    for option in set(re.findall(r"(--[a-z][a-z-]*)", GUIDE)) - {"--cb_explore_adf", "--cb", "--epsilon"}:
        assert option in result.stdout, option
