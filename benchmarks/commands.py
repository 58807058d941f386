"""The command that belongs to no room: the figures of all results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def figures(
    directory: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The results.")] = Path(
        "docs/results"
    ),
    pages: Annotated[list[Path] | None, typer.Option("--fill", help="A page whose figures are written.")] = None,
) -> None:
    """Write the figures of the results into the pages that cite them, and into the README of the results."""
    from benchmarks import figures as benchmark

    benchmark.write(directory, pages or [Path("docs/performance.md")])
