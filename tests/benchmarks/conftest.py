"""Runs the commands of the benchmarks as a user does, each once for all tests that look at its results."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    value: float
    low: float | None
    high: float | None
    unit: str


Results = dict[str, Result]
RunBenchmark = Callable[..., Results]


@pytest.fixture(scope="session")
def run_benchmark(tmp_path_factory: pytest.TempPathFactory) -> RunBenchmark:
    """Run ``python -m benchmarks`` with arguments; return the results of its JSON file by name."""

    @cache
    def run(*arguments: str) -> Results:
        file = tmp_path_factory.mktemp("benchmark") / "results.json"
        command = [sys.executable, "-m", "benchmarks", *arguments, "--json", str(file)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        results: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["results"]
        assert all(f"`{result['name']}`" in done.stdout for result in results), "the page shows every result"
        return {result.pop("name"): Result(**result) for result in results}

    return run
