"""Writers: functions that write the text of a template for the attributes of a trigger.

A text is read once, when its catalogue is loaded. Each piece of its syntax becomes a small function, so that writing is
a handful of calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeGuard

import msgspec
from jinja2 import nodes

from policies.catalogue.number_formats import NumberFormat
from policies.records.rows import Scalar


class Filling(msgspec.Struct, frozen=True):
    """What a text is filled with: attributes, and the reader's number format and currency."""

    values: Mapping[str, Scalar]
    numbers: NumberFormat
    currency: str | None

    def text(self, value: object) -> str:
        """Return a number as text in the reader's format, and any other value as its text."""
        return self.numbers.number(value) if _is_number(value) else str(value)

    def money(self, value: object) -> str:
        """Return a number as an amount of money, and any other value as its text."""
        return self.numbers.money(value, self.currency) if _is_number(value) else str(value)


Writer = Callable[[Filling], str]
_Reader = Callable[[Filling], object]
"""Returns the value of an expression."""

_CHANGES: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
    "capitalize": str.capitalize,
    "trim": str.strip,
}
TOTAL_FILTERS = frozenset({*_CHANGES, "money"})
"""Filters that accept every value."""

DEFAULT_FILTERS = frozenset({"default", "d"})


def compile_text(body: Sequence[nodes.Node]) -> Writer:
    """Return the writer of a text that `Tree.parse` has accepted.

    Every name of the text must be among the values, except names with a fallback and names within
    ``{% if name is defined %}``.
    """
    writers = [_compile_node(node) for node in body]
    return writers[0] if len(writers) == 1 else lambda filling: "".join([write(filling) for write in writers])


def _compile_node(node: nodes.Node) -> Writer:
    match node:
        case nodes.Output():
            return compile_text(node.nodes)
        case nodes.TemplateData(data=text):
            return lambda filling: text
        case nodes.If(test=nodes.Test(node=nodes.Name(name=name))):
            present, absent = compile_text(node.body), compile_text(node.else_)
            return lambda filling: present(filling) if name in filling.values else absent(filling)
    read = _compile_expression(node)
    return lambda filling: filling.text(read(filling))


def _compile_expression(node: nodes.Node | None) -> _Reader:
    match node:
        case nodes.Name(name=name):
            return lambda filling: filling.values[name]
        case nodes.Const(value=value):
            return lambda filling: value
        case nodes.Filter(name=name, node=nodes.Name(name=attribute), args=[nodes.Const(value=fallback)]):
            return lambda filling: filling.values.get(attribute, fallback)
        case nodes.Filter(name="money", node=inner):
            read = _compile_expression(inner)
            return lambda filling: filling.money(read(filling))
        case nodes.Filter(name=name, node=inner) if name in _CHANGES:
            read, change = _compile_expression(inner), _CHANGES[name]
            return lambda filling: change(filling.text(read(filling)))
    raise ValueError(f"{type(node).__name__} has no writer")


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
