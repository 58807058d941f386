"""Scenarios as documents, such as a file in YAML: the fields of a named scenario that are to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from policies.catalogue.mistakes import find_near
from simulators.scenarios.scenario import Scenario, find_scenario

BASE = "base"
"""The key that names the scenario from which the document differs; without it, from ``stationary``."""


class ScenarioMistake(ValueError):
    """A scenario cannot be made of a document; ``path`` is the dotted place of the mistake, empty for the whole."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


def scenario_of_document(document: object, name: str) -> Scenario:
    """Return the scenario of a document.

    Parameters
    ----------
    document
        Field → value, as `Scenario` describes the fields; ``base`` names the scenario whose other fields hold.
    name
        The name of the scenario if the document has none.

    Raises
    ------
    ScenarioMistake
        Naming the field.

    Examples
    --------
    >>> mine = scenario_of_document({"weeks": 6, "promos": [{"first_day": 28, "days": 4}]}, "mine")
    >>> mine.name, mine.weeks, mine.promos[0].presence
    ('mine', 6, 1.5)
    >>> scenario_of_document({"base": "fatigue", "tolerence": 0.5}, "mine")
    Traceback (most recent call last):
    ...
    simulators.scenarios.scenario_document.ScenarioMistake: tolerence: is not a field; did you mean 'tolerance'?
    """
    if not isinstance(document, Mapping):
        raise ScenarioMistake("", "must be a mapping of a scenario's fields")
    changes = {"name": name, "version": 1, "about": ""} | dict(document)
    named = changes.pop(BASE, "stationary")
    try:
        base = find_scenario(named)
    except (ValueError, TypeError):
        raise ScenarioMistake(BASE, f"there is no scenario {named!r}") from None
    scenario: Scenario = _change(base, changes, "")
    return scenario


def _change(part: Any, changes: Mapping[str, Any], path: str) -> Any:
    """Return a dataclass with some fields changed."""
    values = _read_fields(type(part), changes, path, {field.name: getattr(part, field.name) for field in fields(part)})
    try:
        return replace(part, **values)
    except ValueError as error:
        raise ScenarioMistake(path, str(error)) from error


def _make(kind: type[Any], fragment: object, path: str) -> Any:
    """Return a new dataclass."""
    if not isinstance(fragment, Mapping):
        raise ScenarioMistake(path, f"must be a mapping of the fields {', '.join(_names(kind))}")
    values = _read_fields(kind, fragment, path, {})
    for field in fields(kind):
        if field.name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise ScenarioMistake(f"{path}.{field.name}", "is missing")
    try:
        return kind(**values)
    except ValueError as error:
        raise ScenarioMistake(path, str(error)) from error


def _read_fields(kind: type[Any], fragment: Mapping[str, Any], path: str, current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the fields in a fragment of a document.

    A field that holds a dataclass changes the ``current`` one.
    """
    types, values = get_type_hints(kind), {}
    for name, value in fragment.items():
        place = f"{path}.{name}" if path else str(name)
        if name not in _names(kind):
            near = find_near(str(name), _names(kind))
            raise ScenarioMistake(place, f"is not a field{f'; did you mean {near[0]!r}?' if near else ''}")
        values[name] = _read(types[name], value, place, current.get(name))
    return values


def _read(kind: Any, fragment: object, path: str, current: object) -> Any:
    if is_dataclass(current) and isinstance(fragment, Mapping):
        return _change(current, fragment, path)
    if get_origin(kind) is tuple and is_dataclass(item := get_args(kind)[0]) and isinstance(item, type):
        if not isinstance(fragment, list | tuple):
            raise ScenarioMistake(path, "must be a list")
        return tuple(_make(item, one, f"{path}.{number}") for number, one in enumerate(fragment))
    try:
        return TypeAdapter(kind).validate_python(fragment, strict=True)
    except ValidationError as error:
        raise ScenarioMistake(path, error.errors()[0]["msg"].removeprefix("Input ")) from None


def _names(kind: type[Any]) -> list[str]:
    return [field.name for field in fields(kind) if field.init]
