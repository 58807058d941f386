"""Templates that cannot fail, filled with the attributes of a trigger.

Templates are Jinja2 in its sandbox. A template is refused at load unless it can always be rendered: it may hold text,
names, constants, a few filters that never fail, and ``{% if name is defined %}``. So a message is eligible exactly when
its attributes are there, and a shopper never sees a broken sentence. Text is not escaped, since only the channel's
renderer knows whether it writes HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2 import Template as JinjaTemplate
from jinja2.sandbox import ImmutableSandboxedEnvironment

from policies.records.rows import Scalar

_DEFAULT_FILTERS = frozenset({"default", "d"})
_TOTAL_FILTERS = frozenset({"upper", "lower", "title", "capitalize", "trim", "money"})
_MAX_LENGTH = 10_000


def money(value: object) -> str:
    """Return a number with two decimals, and any other value as its text.

    >>> money(12), money("free")
    ('12.00', 'free')
    """
    match value:
        case float():
            return f"{value:.2f}"
        case int() if not isinstance(value, bool):
            return f"{value}.00"  # no int is too large for this
    return str(value)


_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
_environment.filters["money"] = money
_environment.globals.clear()  # a name in a template means an attribute and nothing else

_RESERVED_NAMES = frozenset({"self"})
"""Names that Jinja gives a meaning of its own."""


class TemplateMistake(ValueError):
    """A part of a template that may fail to render."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


@dataclass(frozen=True)
class Template:
    """The parts (title, body, …) of one message on one channel in one locale."""

    required: frozenset[str]
    _parts: Mapping[str, JinjaTemplate] = field(repr=False)

    def render(self, attributes: Mapping[str, Scalar]) -> dict[str, str]:
        """Fill every part. A blank string counts as absent, so a declared fallback replaces it."""
        filled = {name: attributes[name] for name in filled_names(attributes)}
        return {name: part.render(filled) for name, part in self._parts.items()}


def filled_names(attributes: Mapping[str, Scalar]) -> frozenset[str]:
    """Return the names of the attributes that are not blank."""
    return frozenset(name for name, value in attributes.items() if not isinstance(value, str) or value.strip())


def compile_template(parts: Mapping[str, str]) -> Template:
    """Check and compile the parts of a template.

    >>> template = compile_template({"body": "Your {{ product }} is {{ price | money }} {{ currency | d('EUR') }}"})
    >>> sorted(template.required)
    ['price', 'product']
    >>> template.render({"product": "Runner 3", "price": 59.9})
    {'body': 'Your Runner 3 is 59.90 EUR'}

    Raises
    ------
    TemplateMistake
        When a part could fail while it is rendered.
    """
    required: set[str] = set()
    for name, text in parts.items():
        try:
            required |= _required_names(text)
        except (ValueError, TemplateSyntaxError) as error:
            raise TemplateMistake(name, str(error)) from None
    return Template(frozenset(required), {name: _environment.from_string(text) for name, text in parts.items()})


def _required_names(text: str) -> set[str]:
    """Return the attributes without which a text cannot be rendered; refuse a text that may fail."""
    if not text.strip():
        raise ValueError("must not be blank")
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"must have at most {_MAX_LENGTH} characters")
    return _names_in_all(_environment.parse(text).body)


def _names_in_all(parts: Iterable[nodes.Node]) -> set[str]:
    return set().union(*(_names_in(part) for part in parts))


def _names_in(node: nodes.Node) -> set[str]:
    match node:
        case nodes.Output():
            return _names_in_all(node.nodes)
        case nodes.TemplateData() | nodes.Const():
            return set()
        case nodes.Name(name=name):
            return {_check_name(name)}
        case nodes.Filter(name=name, node=nodes.Name(name=attribute)) if name in _DEFAULT_FILTERS:
            _check_name(attribute)
            _check_fallback(node)
            return set()
        case nodes.Filter(name=name) if name in _TOTAL_FILTERS and node.node is not None and _takes(node, 0):
            return _names_in(node.node)
        case nodes.If(test=nodes.Test(name="defined", node=nodes.Name(name=guarded)) as test) if _takes(test, 0):
            if node.elif_:
                raise ValueError("'elif' is not possible in a template")
            return (_names_in_all(node.body) - {_check_name(guarded)}) | _names_in_all(node.else_)
    raise ValueError(
        f"{type(node).__name__} is not possible in a template: use names, "
        f"the filters default, {', '.join(sorted(_TOTAL_FILTERS))} (only default takes an argument), "
        "and 'if name is defined'"
    )


def _check_name(attribute: str) -> str:
    if attribute in _RESERVED_NAMES:
        raise ValueError(f"no attribute can be named {attribute!r}: the name means something else in a template")
    return attribute


def _takes(node: nodes.Filter | nodes.Test, count: int) -> bool:
    """Return whether a filter or test has exactly this many positional arguments and no other argument."""
    return len(node.args) == count and not (node.kwargs or node.dyn_args or node.dyn_kwargs)


def _check_fallback(node: nodes.Filter) -> None:
    fallback = node.args[0] if _takes(node, 1) else None
    if not isinstance(fallback, nodes.Const) or not str(fallback.value).strip():
        raise ValueError("'default' needs one constant that is not blank, as in {{ name | default('you') }}")
