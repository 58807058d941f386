"""Measurements: the one form in which commands write results, with the facts of the machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("notification-decision-service", "ray", "vowpal-wabbit-next", "numpy", "redis", "sqlalchemy", "fastapi")


@dataclass(frozen=True)
class Measured:
    """A named value with its interval, where it has one; names are dotted and stable."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""


def facts(**own: Any) -> dict[str, Any]:
    """Give what a reader needs to judge a number: interpreter, processor, versions, commit, and ``own``."""
    return {
        "python": platform.python_version(),
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "commit": _commit(),
        **own,
    }


def write(path: Path, results: Sequence[Measured], about: Mapping[str, Any]) -> None:
    """Write results as JSON."""
    document = {"facts": dict(about), "results": [asdict(result) for result in results]}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Give the commit of the checkout that this code runs from, if it is one."""
    try:
        found = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
