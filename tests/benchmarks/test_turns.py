"""The timers that two versions run in turns: each measures a round for every line that it reads."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.benchmarks.conftest import ROOT


def run(timer: str, *arguments: str) -> list[object]:
    """Return two rounds of a timer."""
    command = [sys.executable, "-m", f"benchmarks.speed.turns.{timer}", *arguments]
    done = subprocess.run(command, cwd=ROOT, input="\n\n", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_timer_of_groups_measures_every_size_of_a_group() -> None:
    rounds = run("group_timer", "60")
    assert len(rounds) == 2
    assert all(isinstance(times, list) and len(times) == 4 and min(times) > 0.0 for times in rounds)


def test_the_timer_of_the_simulator_measures_a_speed() -> None:
    speeds = run("simulator_timer", "rule", "5", "1")
    assert [speed > 0.0 for speed in speeds if isinstance(speed, float)] == [True, True]
