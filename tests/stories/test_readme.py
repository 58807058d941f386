"""The README, word for word: its curl lines against a service started as it says, and the verbs it names."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.decision_service.runtime.started import Started

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Started]:
    temp_dir = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    started = Started(tmp_path / "data", temp_dir, serve=[])
    started.await_line("is ready")
    yield started
    started.signal_group(signal.SIGTERM)
    shutil.rmtree(temp_dir)


@pytest.mark.service
@pytest.mark.xdist_group("service")
def test_every_curl_line_answers_as_shown(service: Started) -> None:
    lines = [block for block in SHELL if block.startswith("curl")]
    assert len(lines) == 4
    answers = []
    for line in lines:
        own = line.replace("http://127.0.0.1:8000", service.run().url)
        assert own != line
        done = subprocess.run(["bash", "-c", own], capture_output=True, text=True, check=True)
        answers.append(json.loads(done.stdout))
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL)]
    decided, fed_back, explained, report = answers
    assert decided.keys() == shown[0].keys()
    assert (decided["event_id"], decided["decision"]) == ("cart-88213-1", "send")
    assert by_day(decided) == by_day(shown[0])
    assert fed_back == shown[1]
    assert explained["propensity"] == decided["propensity"]
    assert [outcome["type"] for outcome in explained["outcomes"]] == ["click"]
    assert (report["total"]["sends"], report["total"]["clicks"]) == (1, 1)
    assert [row["group"] for row in report["rows"]] == [decided["action"]["channel"]]


def by_day(decided: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """Give the size of the eligible set and the exclusions as if no channel were quiet: tests run at night too."""
    quiet = sum(each["count"] for each in decided["excluded"] if each["reason"] == "quiet_hours")
    return decided["eligible"] + quiet, [each for each in decided["excluded"] if each["reason"] != "quiet_hours"]


def test_every_verb_it_names_exists() -> None:
    known = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"make ([a-z]+)", " ".join([*SHELL, *re.findall(r"`(.*?)`", README)])))
    assert named >= {"run", "test", "help"}
    assert all(f"make {verb} " in known for verb in named)


def test_every_file_it_points_to_exists() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!http)([^)#]+)", text):
            assert (ROOT / target).exists(), f"{name} points to {target}, which does not exist"
