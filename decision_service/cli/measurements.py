"""Measurements: the form in which all commands write their results, with the facts of the machine."""

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
    """A named value, with its interval if it has one. Names have dots, and do not change between versions."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""


def facts(**of_the_run: Any) -> dict[str, Any]:
    """Return the facts behind a number: Python, processor, versions, commit, and those of the run itself."""
    return {
        "python": platform.python_version(),
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "commit": _commit(),
        **of_the_run,
    }


def check_writable(**files: Path | None) -> None:
    """Refuse files that cannot be written, before hours of work end there. An existing file stays as it is.

    Parameters
    ----------
    files
        The file of each option, None where the option is absent.

    Raises
    ------
    ValueError
        Naming the option.
    """
    for option, file in files.items():
        if file is None:
            continue
        exists = file.exists()
        try:
            file.open("a").close()
        except OSError as error:
            raise ValueError(f"--{option} {file}: cannot be written: {error.strerror}") from None
        if not exists:
            file.unlink()


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
    """Return the commit of the checkout that this code runs from, or None without a checkout."""
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
