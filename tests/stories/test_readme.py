"""The README: its curl lines run against a service that is started as it says; its verbs and links exist.

The service starts where starts have failed: in an environment that is for another Ray, and under odd paths.
"""

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


FOR_ANOTHER_RAY = {
    "RAY_JOB_CONFIG_JSON_ENV_VAR": '{"runtime_env": {"working_dir": "/nowhere"}}',
    "RAY_OVERRIDE_RESOURCES": '{"CPU": 0}',
    "RAY_RUNTIME_ENV_HOOK": "nowhere.hook",
    "RAY_USE_TLS": "1",
    "RAY_grpc_enable_http_proxy": "1",
    "http_proxy": "http://127.0.0.1:9",
}
WITHOUT_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "1"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Started]:
    parent = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    odd = parent / "a b%20c"
    odd.mkdir()
    started = Started(tmp_path / "50%20 größe?", odd, serve=[], environ=FOR_ANOTHER_RAY | WITHOUT_LOCALE)
    started.await_line("is ready")
    yield started
    assert started.signal_group(signal.SIGTERM) == 0
    assert list(odd.iterdir()) == []
    shutil.rmtree(parent)


@pytest.mark.service
@pytest.mark.xdist_group("service")
def test_every_curl_line_answers_as_shown(service: Started) -> None:
    assert (service.data.path / "decisions.sqlite").exists()
    lines = [block for block in SHELL if block.startswith("curl")]
    assert len(lines) == 4
    answers = []
    for line in lines:
        addressed = line.replace("http://127.0.0.1:8000", service.run().url)
        assert addressed != line
        done = subprocess.run(["bash", "-c", addressed], capture_output=True, text=True, check=True)
        answers.append(json.loads(done.stdout))
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL)]
    decision, feedback, explanation, report = answers
    assert decision.keys() == shown[0].keys()
    assert (decision["event_id"], decision["decision"]) == ("cart-88213-1", "send")
    assert exclude_quiet_hours(decision) == exclude_quiet_hours(shown[0])
    assert feedback == shown[1]
    assert explanation["propensity"] == decision["propensity"]
    assert [outcome["type"] for outcome in explanation["outcomes"]] == ["click"]
    assert (report["total"]["sends"], report["total"]["clicks"]) == (1, 1)
    assert [row["group"] for row in report["rows"]] == [decision["action"]["channel"]]


def exclude_quiet_hours(decision: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """Return the size of the eligible set and the exclusions as if no channel were quiet: tests run at night too."""
    quiet = sum(group["count"] for group in decision["excluded"] if group["reason"] == "quiet_hours")
    return decision["eligible"] + quiet, [group for group in decision["excluded"] if group["reason"] != "quiet_hours"]


def test_every_verb_it_names_exists() -> None:
    verbs = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"make ([a-z]+)", " ".join([*SHELL, *re.findall(r"`(.*?)`", README)])))
    assert named >= {"run", "test", "help"}
    assert all(f"make {verb} " in verbs for verb in named)


def test_every_file_it_points_to_exists() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/results/README.md", "docs/context.md"):
        page = ROOT / name
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{name} points to {target}, which does not exist"


def test_make_help_lists_every_verb() -> None:
    declared = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make ([a-z-]+)", shown, re.MULTILINE)) == set(" ".join(declared).split())
