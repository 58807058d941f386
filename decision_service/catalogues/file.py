"""Catalogue files in YAML: read a file, or name every mistake with its line."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from policies.catalogue.document import Catalogue
from policies.catalogue.mistakes import CatalogueError, Mistake

Lines = dict[str, int]


class CatalogueFileError(ValueError):
    """The file does not hold a valid catalogue. The text has one line per mistake: ``file:line: path: reason``."""


def read_catalogue(path: Path) -> Catalogue:
    """Read a catalogue file.

    Raises
    ------
    CatalogueFileError
        When the file cannot be read, is not YAML, or does not hold a valid catalogue.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueFileError(f"{path}: cannot be read: {error}") from None
    return parse_catalogue(text, str(path))


def example() -> Catalogue:
    """Return the example catalogue that comes with the service."""
    source = files("decision_service") / "catalogues" / "example.yaml"
    return parse_catalogue(source.read_text(encoding="utf-8"), "example.yaml")


def parse_catalogue(text: str, name: str) -> Catalogue:
    """Return the catalogue in a YAML text.

    Parameters
    ----------
    name
        Name of the file in error messages.

    Raises
    ------
    CatalogueFileError
        When the text is not YAML or does not hold a valid catalogue.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark is not None else name
        raise CatalogueFileError(f"{where}: is not YAML: {getattr(error, 'problem', error)}") from None
    lines: Lines = {}
    mistakes = [] if root is None else list(_record_lines(root, (), lines))
    if not isinstance(document, dict):
        raise CatalogueFileError(f"{name}:1: must be a mapping of the catalogue's keys")
    try:
        catalogue = Catalogue.from_document(document)
    except CatalogueError as error:
        mistakes += error.mistakes
    if mistakes:
        raise CatalogueFileError(
            "\n".join(f"{name}:{_find_line(mistake, lines)}: {_describe(mistake)}" for mistake in mistakes)
        )
    return catalogue


def _record_lines(node: yaml.Node, path: tuple[str, ...], lines: Lines) -> Iterator[Mistake]:
    """Record the line of every path in ``lines``, and yield a mistake for each key that occurs twice."""
    lines.setdefault(".".join(path), node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            here = (*path, str(key.value))
            lines.setdefault(".".join(here), key.start_mark.line + 1)
            if key.value in seen:
                yield Mistake(".".join(here), f"stands twice, again in line {key.start_mark.line + 1}")
            seen.add(key.value)
            yield from _record_lines(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _record_lines(item, (*path, str(number)), lines)


def _find_line(mistake: Mistake, lines: Lines) -> int:
    """Return the line of the mistake's path, or of the nearest path that encloses it."""
    path = mistake.path.split(".")
    while path and ".".join(path) not in lines:
        path.pop()
    return lines.get(".".join(path), 1)


def _describe(mistake: Mistake) -> str:
    return f"{mistake.path}: {mistake.message}" if mistake.path else mistake.message
