"""The mistakes of a catalogue document, each named by its path, and how Pydantic's errors become mistakes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

_NOT_YET: dict[str, object] = {"opt_out_budget_per_1000": None, "arms.baseline": 0.0}
"""Keys of rules that are not built yet, with the neutral value that a document may hold there."""

_CHANGED = frozenset(path.partition(".")[0] for path in _NOT_YET if "." in path)
"""The parts of a document that hold such a key."""


_LONGEST_NAME = 100
"""No name is longer."""


@dataclass(frozen=True)
class Mistake:
    """What is wrong in the catalogue, and where: ``path`` is dotted, such as ``channels.push.cost``."""

    path: str
    message: str


class CatalogueError(ValueError):
    """The document is not a valid catalogue; ``mistakes`` names every reason."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("; ".join(f"{mistake.path}: {mistake.message}" for mistake in mistakes))
        self.mistakes = mistakes


def drop_neutral_keys(document: Mapping[str, Any]) -> tuple[list[Mistake], Mapping[str, Any]]:
    """Return the document without the keys of rules that are not built yet.

    A key with another value than its neutral one is a mistake.
    """
    if not isinstance(document, Mapping):
        return [], document
    mistakes = []
    kept = {
        name: dict(value) if name in _CHANGED and isinstance(value, Mapping) else value
        for name, value in document.items()
    }
    for path, neutral in _NOT_YET.items():
        parent, _, key = path.rpartition(".")
        holder = kept.get(parent) if parent else kept
        if isinstance(holder, dict) and key in holder and holder.pop(key) != neutral:
            mistakes.append(Mistake(path, "is not supported yet"))
    return mistakes, kept


def mistakes_of(error: ValidationError, model: type[BaseModel]) -> list[Mistake]:
    """Return the mistakes of structure that Pydantic found in a document of this model."""
    return _first_causes([_mistake(detail, model) for detail in error.errors(include_url=False)])


def join_mistakes(of_structure: list[Mistake], of_meaning: list[Mistake]) -> list[Mistake]:
    """Return all mistakes, without those of meaning that only repeat a mistake of structure at the same path."""
    named = {mistake.path for mistake in of_structure}
    return [*of_structure, *(mistake for mistake in of_meaning if mistake.path not in named)]


def _mistake(detail: Mapping[str, Any], model: type[BaseModel]) -> Mistake:
    path = [str(part) for part in detail["loc"] if part != "[key]"]
    if detail["type"] != "extra_forbidden":
        return Mistake(".".join(path), str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input "))
    known = _fields_at(model, path[:-1])
    near = find_near(path[-1], known)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(known))}" if known else ""
    return Mistake(".".join(path), f"is not a known key{hint}")


def _first_causes(mistakes: list[Mistake]) -> list[Mistake]:
    """Drop mistakes that only follow from a mistake inside: Pydantic counts a list whose items are wrong as empty."""
    return [mistake for mistake in mistakes if not any(other.path.startswith(f"{mistake.path}.") for other in mistakes)]


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the field names of the part of the model at a path."""
    annotation: Any = model
    for part in path:
        fields = getattr(annotation, "model_fields", None)
        annotation = fields[part].annotation if fields and part in fields else _item(annotation)
        while getattr(annotation, "__metadata__", None):
            annotation = annotation.__origin__
        if isinstance(annotation, UnionType):
            annotation = get_args(annotation)[0]  # of T | None
    if get_origin(annotation) is tuple:
        annotation = _item(annotation)  # one part may stand for a list of parts
    fields = getattr(annotation, "model_fields", None)
    return [field.alias or name for name, field in fields.items()] if fields else []


def _item(annotation: Any) -> Any:
    """Return the type of the items of a mapping or a tuple."""
    return next((item for item in reversed(get_args(annotation)) if item is not Ellipsis), None)


def find_near(name: str, known: Iterable[str]) -> list[str]:
    """Return the most similar known name, if there is one. To compare a very long name would take long."""
    return [] if len(name) > _LONGEST_NAME else difflib.get_close_matches(name, [*known], n=1)


def describe_unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return that a name does not exist, with the most similar name that does."""
    near = find_near(name, known)
    return f"there is no {kind} {name[:_LONGEST_NAME]!r}" + (f"; did you mean {near[0]!r}?" if near else "")
