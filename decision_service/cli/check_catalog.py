"""``decision-service check-catalog``: name every mistake of a catalogue file, and start nothing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import msgspec
import typer

from decision_service.catalogues.file import CatalogueFileError, read_catalogue
from policies.catalogue.action_space import ActionSpace
from policies.catalogue.document import Catalogue

_VALID, _MISTAKES, _UNREADABLE = 0, 1, 2


def run(file: Path, *, as_json: bool) -> int:
    """Check a file, print what was found, and return the exit code."""
    try:
        catalogue = read_catalogue(file)
    except CatalogueFileError as error:
        return _refuse(file, error, as_json=as_json)
    typer.echo(_write_json(file, None) if as_json else f"{file}: valid: {_describe(catalogue)}")
    return _VALID


def _refuse(file: Path, error: CatalogueFileError, *, as_json: bool) -> int:
    if as_json:
        typer.echo(_write_json(file, error))
    else:
        typer.echo(str(error), err=True)
    return _MISTAKES if error.mistakes else _UNREADABLE


def _describe(catalogue: Catalogue) -> str:
    counts = {
        "messages": len(catalogue.messages),
        "channels": len(catalogue.channels),
        "triggers": len(catalogue.triggers),
        "joint actions": len(ActionSpace.of(catalogue)),
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _write_json(file: Path, error: CatalogueFileError | None) -> str:
    mistakes = [] if error is None else [asdict(mistake) for mistake in error.mistakes]
    unreadable = {} if error is None or error.mistakes else {"error": str(error)}
    return msgspec.json.encode({"file": str(file), "valid": error is None, "mistakes": mistakes, **unreadable}).decode()
