"""The writers write what Jinja itself would write, with the same filters in its sandbox."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from policies.catalogue.number_formats import NumberFormat
from policies.catalogue.templates.syntax import Tree
from policies.catalogue.templates.writers import Filling

NAMES = ("product", "price", "points")
FORMAT, CURRENCY = " format", " currency"  # no name in a template can have a space


@pass_context
def write(context: Context, value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return context[FORMAT].number(value)
    return value


@pass_context
def write_money(context: Context, value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(context[FORMAT].money(value, context[CURRENCY]))
    return str(value)


def change_text(change: Callable[[str], str]) -> Callable[[Context, object], str]:
    @pass_context
    def changed_text(context: Context, value: object) -> str:
        return change(str(write(context, value)))

    return changed_text


def jinja() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, finalize=write)
    changes = {name: getattr(str, name) for name in ("upper", "lower", "title", "capitalize")} | {"trim": str.strip}
    environment.filters |= {name: change_text(change) for name, change in changes.items()}
    environment.filters["money"] = write_money
    environment.globals.clear()
    return environment


JINJA = jinja()

names = st.sampled_from(NAMES)
constants = st.sampled_from(["'it'", "' you '", "3", "1234567.125", "true", "none", '"ß"'])
filters = st.sampled_from(["upper", "lower", "title", "capitalize", "trim", "money"])
plain = st.sampled_from(["Hello ", "\n", " straße\n", "100 % ", "{ ", "é"])


@st.composite
def outputs(draw: st.DrawFn) -> str:
    expression = draw(st.one_of(names, constants))
    if expression in NAMES and draw(st.booleans()):
        expression += f" | {draw(st.sampled_from(['d', 'default']))}({draw(constants)})"
    expression = " | ".join([expression, *draw(st.lists(filters, max_size=3))])
    return f"{{{{ {expression} }}}}"


pieces = st.lists(st.one_of(plain, outputs()), max_size=3).map("".join)


@st.composite
def conditions(draw: st.DrawFn) -> str:
    otherwise = f"{{% else %}}{draw(pieces)}" if draw(st.booleans()) else ""
    return f"{{% if {draw(names)} is defined %}}{draw(pieces)}{otherwise}{{% endif %}}"


texts = st.lists(st.one_of(plain, outputs(), conditions()), min_size=1, max_size=4).map("".join)
values = st.one_of(st.text(max_size=6), st.integers(), st.floats(allow_nan=False))


@given(
    texts.filter(str.strip),
    st.fixed_dictionaries(dict.fromkeys(NAMES, values)),
    st.sets(names),
    st.sampled_from(["en", "de", "es", "hi"]),
    st.sampled_from([None, "EUR", "JPY"]),
)
def test_a_writer_writes_what_jinja_writes(
    text: str, attributes: dict[str, str | int | float], absent: set[str], locale: str, currency: str | None
) -> None:
    try:
        tree = Tree.parse(text)
    except ValueError:  # a fallback must not be blank, and none and true are no attributes
        return
    filled = {name: value for name, value in attributes.items() if name in tree.required or name not in absent}
    number_format = NumberFormat.of(locale)
    expected = JINJA.from_string(text).render({**filled, FORMAT: number_format, CURRENCY: currency})
    assert tree.write(Filling(filled, number_format, currency)) == expected
