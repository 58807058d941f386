"""Templates that cannot fail, filled with the attributes of a trigger.

Templates are Jinja2 in its sandbox. A template is refused at load unless it can always be rendered: it may hold text,
names, constants, a few filters that never fail, and ``{% if name is defined %}``. So a message is eligible exactly when
its attributes are there, and a shopper never sees a broken sentence or a blank notification. Text is not escaped, since
only the channel's renderer knows whether it writes HTML.

Numbers are written for the reader: ``{{ points }}`` is ``120`` for 120.0, and ``{{ price | money }}`` has the decimals
of the currency and the separators of the locale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from jinja2 import StrictUndefined, pass_context
from jinja2 import Template as JinjaTemplate
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from policies.catalogue.number_formats import NumberFormat
from policies.catalogue.template_syntax import Tree
from policies.catalogue.visible_text import drop_turns, is_visible, write_in_lines, write_in_one_line
from policies.records.rows import Scalar

BODY = "body"
"""The one part that may have several lines."""

DATA = "data"
"""The part of the content that holds the trigger and its attributes; no template writes it."""

SHOWN_PARTS = frozenset({BODY, "title", "subject"})
"""The parts that must never be blank: they are what a shopper sees first. Any other part may be empty at times."""

_FILTERS: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
    "capitalize": str.capitalize,
    "trim": str.strip,
}

_FORMAT, _CURRENCY = " format", " currency"
"""Where a context keeps the number format and the currency: no name in a template can have a space."""


@pass_context
def _write(context: Context, value: object) -> object:
    """Return a number as text in the reader's format, and any other value as it is."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _format_in(context).number(value)
    return value


@pass_context
def _write_money(context: Context, value: object) -> str:
    """Return a number as an amount of money, and any other value as its text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _format_in(context).money(value, context.get(_CURRENCY))
    return str(value)


def _format_in(context: Context) -> NumberFormat:
    number_format: NumberFormat = context[_FORMAT]
    return number_format


def _change_text(change: Callable[[str], str]) -> Callable[[Context, object], str]:
    @pass_context
    def write(context: Context, value: object) -> str:
        return change(str(_write(context, value)))

    return write


_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, finalize=_write)
_environment.filters |= {name: _change_text(change) for name, change in _FILTERS.items()}
_environment.filters["money"] = _write_money
_environment.globals.clear()  # a name in a template means an attribute and nothing else


class TemplateMistake(ValueError):
    """A part of a template that may fail to render."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


class FilledNames(NamedTuple):
    """The names of the attributes that are there.

    ``texts`` have text or a number. ``flags`` are true: a template can ask whether they are defined, but a shopper
    never reads them. A false flag and a blank text count as absent.
    """

    texts: frozenset[str]
    flags: frozenset[str] = frozenset()

    @classmethod
    def of(cls, attributes: Mapping[str, Scalar]) -> FilledNames:
        """Return the names of the attributes that are there."""
        texts, flags = [], []
        for name, value in attributes.items():
            if isinstance(value, bool):
                flags += [name] * value
            elif not isinstance(value, str) or is_visible(value):
                texts.append(name)
        return cls(frozenset(texts), frozenset(flags))


@dataclass(frozen=True)
class Template:
    """The parts (title, body, …) of one message on one channel in one locale.

    ``required`` are the attributes without which the template cannot be rendered. ``printed`` are all attributes that a
    shopper may read.
    """

    required: frozenset[str]
    printed: frozenset[str]
    _names: frozenset[str] = field(repr=False)
    _parts: Mapping[str, JinjaTemplate | str] = field(repr=False)
    """A part without a name or a number is its text."""
    _conditional: Mapping[str, JinjaTemplate] = field(repr=False)
    """The parts that must not be blank, and that are empty without some attribute."""

    def is_filled_by(self, names: FilledNames) -> bool:
        """Return whether the attributes are there, and no part that must not be blank would be blank."""
        if not self.required <= names.texts:
            return False
        if not self._conditional:
            return True
        examples = dict.fromkeys([*names.texts, *(names.flags - self.printed)], "x")
        context = {**examples, _FORMAT: NumberFormat.of("en"), _CURRENCY: None}
        return all(is_visible(part.render(context)) for part in self._conditional.values())

    def render(
        self, attributes: Mapping[str, Scalar], locale: str = "en", currency: str | None = None
    ) -> dict[str, str]:
        """Fill every part, with numbers as the locale writes them.

        Without an attribute ``currency`` an amount of money is in ``currency``.
        """
        own_currency = attributes.get("currency")
        context = self._fill(attributes)
        context[_FORMAT] = NumberFormat.of(locale)
        context[_CURRENCY] = own_currency if isinstance(own_currency, str) else currency
        return {
            name: part if isinstance(part, str) else _write_part(name, part.render(context))
            for name, part in self._parts.items()
        }

    def _fill(self, attributes: Mapping[str, Scalar]) -> dict[str, object]:
        """Return the attributes that the template uses: a true flag only if it is printed nowhere."""
        filled: dict[str, object] = {}
        for name in self._names & attributes.keys():
            value = attributes[name]
            if isinstance(value, bool):
                if value and name not in self.printed:
                    filled[name] = value
            elif not isinstance(value, str):
                filled[name] = value
            elif is_visible(value):
                filled[name] = drop_turns(value)
        return filled


def _write_part(name: str, text: str) -> str:
    return write_in_lines(text) if name == BODY else write_in_one_line(text)


def compile_template(parts: Mapping[str, str]) -> Template:
    """Check and compile the parts of a template.

    >>> template = compile_template({"body": "Your {{ product }} is {{ price | money }} {{ currency | d('EUR') }}"})
    >>> sorted(template.required)
    ['price', 'product']
    >>> template.render({"product": "Runner 3", "price": 1059.9}, locale="de")
    {'body': 'Your Runner 3 is 1.059,90 EUR'}

    Raises
    ------
    TemplateMistake
        When a part could fail while it is rendered.
    """
    trees: dict[str, Tree] = {}
    for name, text in parts.items():
        try:
            trees[name] = Tree.parse(text)
        except ValueError as error:
            raise TemplateMistake(name, str(error)) from None
    templates = {name: _environment.from_string(text) for name, text in parts.items()}
    return Template(
        required=frozenset().union(*(tree.required for tree in trees.values())),
        printed=frozenset().union(*(tree.printed for tree in trees.values())),
        _names=frozenset().union(*(tree.names for tree in trees.values())),
        _parts={
            name: _write_part(name, template.render()) if trees[name].is_fixed else template
            for name, template in templates.items()
        },
        _conditional={
            name: template
            for name, template in templates.items()
            if name in SHOWN_PARTS and not trees[name].always_shows
        },
    )
