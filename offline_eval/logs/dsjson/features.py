"""Features in dsjson: objects in objects, or in lists, become named values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from offline_eval.errors import BadData
from policies.records.rows import Scalar

_DEEPEST = 64
_LARGEST = 2.0**1023


def read_features(node: Mapping[str, Any], column: str, row: int) -> dict[str, Scalar]:
    """Return the values in an object by their names, ``namespace.name``.

    A list of objects is merged into one object, as Personalizer writes its shared features. As in Vowpal Wabbit, a
    number in a list is named by its position, and a text in a list is a feature of its own. Names that begin with _
    (``_multi``, ``_tag``) are no features.

    Raises
    ------
    BadData
        When a number is too large, or the object too deep; the error names row and field.

    Examples
    --------
    >>> read_features({"user": [{"age": 31}, {"city": "Vigo"}], "tags": ["new"], "_multi": []}, "c", 1)
    {'user.age': 31, 'user.city': 'Vigo', 'tags.new': True}
    """
    values: dict[str, Scalar] = {}
    for name, value in _flatten(node, "", 0, column, row):
        values[_free_name(name, values)] = value
    return values


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    """Return the name, with a number behind it where objects of a list share the name."""
    if name not in taken:
        return name
    return next(numbered for number in count(2) if (numbered := f"{name}.{number}") not in taken)


def _flatten(node: Any, name: str, depth: int, column: str, row: int) -> Iterator[tuple[str, Scalar]]:
    if depth > _DEEPEST:
        raise BadData(column, f"is nested deeper than {_DEEPEST} levels", row)
    if isinstance(node, Mapping):
        for key, value in node.items():
            if not key.startswith("_"):
                yield from _flatten(value, f"{name}.{key}" if name else key, depth + 1, column, row)
    elif isinstance(node, list):
        for position, value in enumerate(node):
            if isinstance(value, str):
                yield f"{name}.{value}", True
            else:
                inner = name if isinstance(value, Mapping) else f"{name}.{position}"
                yield from _flatten(value, inner, depth + 1, column, row)
    elif isinstance(node, str):
        yield name, node
    elif isinstance(node, int | float):
        if abs(node) > _LARGEST:
            raise BadData(f"{column}.{name}", "is too large for a number", row)
        yield name, node
