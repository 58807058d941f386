from __future__ import annotations

import pytest

from policies.catalogue.templates.syntax import Tree


@pytest.mark.parametrize(
    ("text", "required", "printed"),
    [
        ("plain", set(), set()),
        ("{{ a | upper }} {{ b | d('x') }}", {"a"}, {"a", "b"}),
        ("{% if a is defined %}{{ a }}{{ b }}{% else %}{{ c }}{% endif %}", {"b", "c"}, {"a", "b", "c"}),
        ("{% if a is defined %}x{% endif %}", set(), set()),
        ("{{ a | d(1) | money }}", set(), {"a"}),
    ],
)
def test_what_a_text_needs_and_what_it_prints(text: str, required: set[str], printed: set[str]) -> None:
    tree = Tree.parse(text)
    assert (set(tree.required), set(tree.printed)) == (required, printed)


@pytest.mark.parametrize(
    ("text", "shows"),
    [
        ("x{% if a is defined %}{{ a }}{% endif %}", True),
        ("{{ a }}", True),
        ("{{ a | d('x') }}", True),
        ("{% if a is defined %}{{ a }}{% else %}x{% endif %}", False),
        (" \u200b{% if a is defined %}{{ a }}{% endif %}", False),
    ],
)
def test_whether_a_text_shows_something_without_a_condition(text: str, shows: bool) -> None:
    tree = Tree.parse(text)
    assert tree.always_shows is shows
    assert tree.poverty is None


@pytest.mark.parametrize("text", ["{{ true }}", "{{ a | d(false) }}", "{{ none }}", "\u200b", "{{ a | d('\u2060') }}"])
def test_what_a_shopper_should_not_read_is_named(text: str) -> None:
    assert Tree.parse(text).poverty is not None
