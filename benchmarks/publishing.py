"""What the commands of the benchmarks share: their options, and how they publish results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.page import markdown
from decision_service.cli.measurements import Measured, check_writable, facts, write


def _check_writable(option: typer.CallbackParam, file: Path | None) -> Path | None:
    try:
        check_writable(**{option.opts[0].removeprefix("--"): file})
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return file


Json = Annotated[
    Path | None, typer.Option("--json", help="Also write the results to this file.", callback=_check_writable)
]
Page = Annotated[Path | None, typer.Option("--markdown", help="Also write them as a page.", callback=_check_writable)]
Seed = Annotated[int, typer.Option(min=0, help="Decides the simulated logs.")]


def parse_span(text: str, option: str = "--seeds") -> range:
    """Return the numbers from the first to the one before the second.

    Raises
    ------
    typer.BadParameter
        When the text is no such span, or holds no number; the message names the option.

    Examples
    --------
    >>> parse_span("1:4")
    range(1, 4)
    """
    first, colon, end = text.partition(":")
    if not (colon and first.isdecimal() and end.isdecimal() and int(first) < int(end)):
        raise typer.BadParameter(f"must be from:to, half open, such as 1:4, not {text!r}", param_hint=option)
    return range(int(first), int(end))


def say(line: str) -> None:
    """Show a line of progress."""
    typer.echo(line, err=True)


def publish(
    title: str,
    command: str,
    results: Sequence[Measured],
    json: Path | None,
    page: Path | None,
    *,
    table: str = "",
    more: Sequence[Measured] = (),
    **settings: Any,
) -> None:
    """Print the results as a page, with a table below, and write the files that the options name.

    ``more`` are results that the table shows: they are written to the JSON file only.
    """
    about = facts(**settings)
    text = markdown(title, command, results, about) + (f"\n{table}" if table else "")
    typer.echo(text)
    if json is not None:
        write(json, [*results, *more], about)
    if page is not None:
        page.write_text(text, encoding="utf-8")
