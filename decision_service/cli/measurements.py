"""Measurements: the format in which all commands write results, with facts about the machine."""

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
    """A value with a name, and an interval where it has one; names are dotted and stable."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""


def facts(**further: Any) -> dict[str, Any]:
    """Return what a reader needs to judge a number: interpreter, processor, versions, commit, and ``further`` facts."""
    return {
        "python": platform.python_version(),
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "commit": _commit(),
        **further,
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
    """Return the commit of the checkout that this code runs from; None outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
