"""The syntax of templates: what a text may hold, the attributes that it needs, and whether it shows anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jinja2 import Environment, TemplateSyntaxError, nodes

from policies.catalogue.templates.writers import DEFAULT_FILTERS, TOTAL_FILTERS, Writer, compile_text
from policies.catalogue.visible_text import is_visible

_MAX_LENGTH = 10_000

_RESERVED_NAMES = frozenset({"self"})
"""Names that Jinja gives a meaning of its own."""


_syntax = Environment()  # reads only: `policies.catalogue.templates.writers` writes


@dataclass(frozen=True)
class Tree:
    """What a text of a template needs and shows.

    Parameters
    ----------
    required
        The attributes without which the text cannot be rendered.
    printed
        All attributes that a shopper may read.
    names
        All attributes that the text uses.
    is_fixed
        Whether the text is the same for every shopper.
    always_shows
        Whether the text shows something whatever other attributes are there.
    poverty
        What a shopper should not read, None where nothing is wrong.
    write
        Writes the text.
    """

    required: frozenset[str]
    printed: frozenset[str]
    names: frozenset[str]
    is_fixed: bool
    always_shows: bool
    poverty: str | None
    write: Writer = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Tree:
        """Read a text.

        >>> tree = Tree.parse("{{ product }}{% if points is defined %}: {{ points }}{% endif %}")
        >>> sorted(tree.required), sorted(tree.printed), tree.always_shows
        (['product'], ['points', 'product'], True)
        >>> Tree.parse("{{ true }}").poverty
        'True would be read as it stands: write the constant in quotes'

        Raises
        ------
        ValueError
            When the text may fail while it is rendered.
        """
        if not text.strip():
            raise ValueError("must not be blank")
        if len(text) > _MAX_LENGTH:
            raise ValueError(f"must have at most {_MAX_LENGTH} characters")
        try:
            template = _syntax.parse(text)
        except TemplateSyntaxError as error:
            raise ValueError(str(error)) from None
        body = template.body
        required, printed = _names_in_all(body), [*_find_printed(body)]
        return cls(
            required=frozenset(required),
            printed=frozenset(node.name for node in printed if isinstance(node, nodes.Name)),
            names=frozenset(node.name for node in template.find_all(nodes.Name)),
            is_fixed=all(isinstance(node, nodes.Output | nodes.TemplateData) for node in template.find_all(nodes.Node)),
            always_shows=any(map(_is_seen, _find_printed(part for part in body if isinstance(part, nodes.Output)))),
            poverty=_poverty_of(printed),
            write=compile_text(body),
        )


def _poverty_of(printed: Iterable[nodes.Node]) -> str | None:
    for node in printed:
        if isinstance(node, nodes.Const) and (node.value is None or isinstance(node.value, bool)):
            return f"{node.value} would be read as it stands: write the constant in quotes"
        if isinstance(node, nodes.Const) and not is_visible(str(node.value)):
            return "a constant must not be blank: no character of it can be seen"
    return None if any(map(_is_seen, printed)) else "must not be blank: no character of it can be seen"


def _find_printed(parts: Iterable[nodes.Node]) -> Iterator[nodes.Node]:
    """Yield everything that may be printed: text, names and constants, those of a fallback too."""
    for node in parts:
        match node:
            case nodes.Output():
                yield from _find_printed(node.nodes)
            case nodes.Filter():
                yield from _find_printed([*([] if node.node is None else [node.node]), *node.args])
            case nodes.If():
                yield from _find_printed([*node.body, *node.else_])
            case _:
                yield node


def _is_seen(node: nodes.Node) -> bool:
    """Return whether a printed node shows something: an attribute that is printed is never blank."""
    match node:
        case nodes.TemplateData(data=text):
            return is_visible(text)
        case nodes.Const(value=value):
            return is_visible(str(value))
    return True


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
        case nodes.Filter(name=name, node=nodes.Name(name=attribute)) if name in DEFAULT_FILTERS:
            _check_name(attribute)
            _check_fallback(node)
            return set()
        case nodes.Filter(name=name) if name in TOTAL_FILTERS and node.node is not None and _takes(node, 0):
            return _names_in(node.node)
        case nodes.If(test=nodes.Test(name="defined", node=nodes.Name(name=guarded)) as test) if _takes(test, 0):
            if node.elif_:
                raise ValueError("'elif' is not possible in a template")
            return (_names_in_all(node.body) - {_check_name(guarded)}) | _names_in_all(node.else_)
    raise ValueError(
        f"{type(node).__name__} is not possible in a template: use names, "
        f"the filters default, {', '.join(sorted(TOTAL_FILTERS))} (only default takes an argument), "
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
