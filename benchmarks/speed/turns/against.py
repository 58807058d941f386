"""The option that names an older checkout to measure in turns, and what a page says of this checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated

import typer

Against = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        resolve_path=True,
        help="Also measure an older checkout of this project, in turns; it needs a virtual environment at .venv.",
    ),
]


def describe(against: Path | None) -> str:
    """Return the option as it stands on a page, without the path of this machine."""
    return "" if against is None else " --against OLDER"


def find_commit(checkout: Path | None) -> str | None:
    """Return the commit of another checkout."""
    if checkout is None:
        return None
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
