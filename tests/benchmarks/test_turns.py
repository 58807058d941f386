"""The timers that two versions run in turns: each measures a round for every line that it reads."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from benchmarks.speed import busy_shop
from benchmarks.speed.turns.group_timer import GROUPS, GroupTimer
from tests.benchmarks.conftest import ROOT


def run(timer: str, *arguments: str) -> list[object]:
    """Return two rounds of a timer."""
    command = [sys.executable, "-m", f"benchmarks.speed.turns.{timer}", *arguments]
    done = subprocess.run(command, cwd=ROOT, input="\n\n", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_timer_of_groups_measures_every_size_of_a_group() -> None:
    rounds = run("group_timer", "60")
    assert [len(times) for times in rounds if isinstance(times, list)] == [len(GROUPS)] * 2


def test_the_timer_of_the_simulator_measures_a_speed() -> None:
    speeds = run("simulator_timer", "rule", "5", "1")
    assert [speed > 0.0 for speed in speeds if isinstance(speed, float)] == [True, True]


def test_the_timer_of_groups_gives_new_ids_to_the_requests_of_an_older_version(monkeypatch: pytest.MonkeyPatch) -> None:
    older = dataclasses.make_dataclass("Request", ["event_id"], frozen=True)
    monkeypatch.setattr(busy_shop, "request", lambda: older("e-now"))
    assert [request.event_id for request in GroupTimer(60).make_requests(2)] == ["e-0", "e-1"]
