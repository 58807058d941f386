"""Templates that cannot fail, filled with the attributes of a trigger.

Templates are written in Jinja's syntax. A template is refused at load unless it can always be rendered: it may hold
text, names, constants, a few filters that never fail, and ``{% if name is defined %}``. So a message is eligible
exactly when its attributes are there, and a shopper never sees a broken sentence or a blank notification. Text is not
escaped, since only the channel's renderer knows whether it writes HTML.

Numbers are written for the reader: ``{{ points }}`` is ``120`` for 120.0, and ``{{ price | money }}`` has the decimals
of the currency and the separators of the locale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from policies.catalogue.number_formats import NumberFormat
from policies.catalogue.templates.syntax import Tree
from policies.catalogue.templates.writers import Filling, Writer
from policies.catalogue.visible_text import drop_turns, is_visible, write_in_lines, write_in_one_line
from policies.records.rows import Scalar

BODY = "body"
"""The one part that may have several lines."""

DATA = "data"
"""The part of the content that holds the trigger and its attributes; no template writes it."""

SHOWN_PARTS = frozenset({BODY, "title", "subject"})
"""The parts that must never be blank: they are what a shopper sees first. Any other part may be empty at times."""

_NO_FILLING = Filling({}, NumberFormat.of("en"), None)


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
    _parts: Mapping[str, Writer | str] = field(repr=False)
    """A part without a name or a number is its text."""
    _conditional: Mapping[str, Writer] = field(repr=False)
    """The parts that must not be blank, and that are empty without some attribute."""

    def is_filled_by(self, names: FilledNames) -> bool:
        """Return whether the attributes are there, and no part that must not be blank would be blank."""
        if not self.required <= names.texts:
            return False
        if not self._conditional:
            return True
        examples = dict.fromkeys([*names.texts, *(names.flags - self.printed)], "x")
        filling = Filling(examples, NumberFormat.of("en"), None)
        return all(is_visible(write(filling)) for write in self._conditional.values())

    def render(
        self, attributes: Mapping[str, Scalar], locale: str = "en", currency: str | None = None
    ) -> dict[str, str]:
        """Fill every part, with numbers as the locale writes them.

        Without an attribute ``currency`` an amount of money is in ``currency``.
        """
        own_currency = attributes.get("currency")
        if isinstance(own_currency, str):
            currency = own_currency
        filling = Filling(self._fill(attributes), NumberFormat.of(locale), currency)
        return {
            name: part if isinstance(part, str) else _write_part(name, part(filling))
            for name, part in self._parts.items()
        }

    def _fill(self, attributes: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Return the attributes that the template uses: a true flag only if it is printed nowhere."""
        filled: dict[str, Scalar] = {}
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
    return Template(
        required=frozenset().union(*(tree.required for tree in trees.values())),
        printed=frozenset().union(*(tree.printed for tree in trees.values())),
        _names=frozenset().union(*(tree.names for tree in trees.values())),
        _parts={
            name: _write_part(name, tree.write(_NO_FILLING)) if tree.is_fixed else tree.write
            for name, tree in trees.items()
        },
        _conditional={
            name: tree.write for name, tree in trees.items() if name in SHOWN_PARTS and not tree.always_shows
        },
    )
