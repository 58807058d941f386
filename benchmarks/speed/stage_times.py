"""Run the stages of `bench_stages` with pytest-benchmark, and read its results."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from decision_service.cli.measurements import Measured

_ROOT = Path(__file__).parents[2]
_STAGES = Path(__file__).with_name("bench_stages.py")
_OPTIONS = (
    "--override-ini=python_functions=bench_*",
    "--override-ini=addopts=",
    "--override-ini=timeout=0",
    "--benchmark-only",
    "--benchmark-disable-gc",
    "--benchmark-timer=time.process_time",
    "--benchmark-warmup=on",
    "--quiet",
)


class StagesFailed(RuntimeError):
    """pytest failed; the message is what pytest printed."""


def measure(max_s: float) -> list[Measured]:
    """Measure every stage for at most so many seconds; the time is CPU time.

    Raises
    ------
    StagesFailed
        When a stage raises.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        file = Path(directory) / "stages.json"
        options = (*_OPTIONS, f"--benchmark-max-time={max_s}", f"--benchmark-json={file}")
        command = [sys.executable, "-m", "pytest", str(_STAGES), *options]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StagesFailed(done.stdout + done.stderr)
        benchmarks: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["benchmarks"]
    return [to_measured(benchmark) for benchmark in benchmarks]


def to_measured(benchmark: Mapping[str, Any]) -> Measured:
    """Return the result of a stage, per row: the median with the middle half of all rounds.

    >>> times = {"median": 0.002, "q1": 0.001, "q3": 0.004}
    >>> to_measured({"name": "bench_decide_many[100]", "params": {"group": 100}, "stats": times})
    Measured(name='stages.decide_many.100.us', value=20.0, low=10.0, high=40.0, unit='CPU µs per row, groups of 100; interval: the middle half of the rounds')
    """  # noqa: E501
    name = benchmark["name"].partition("[")[0].removeprefix("bench_")
    rows = (benchmark.get("params") or {}).get("group")
    unit = "CPU µs" if rows is None else f"CPU µs per row, groups of {rows}"
    value, low, high = (benchmark["stats"][key] / (rows or 1) * 1e6 for key in ("median", "q1", "q3"))
    return Measured(
        f"stages.{name}.us" if rows is None else f"stages.{name}.{rows}.us",
        value,
        low,
        high,
        f"{unit}; interval: the middle half of the rounds",
    )
