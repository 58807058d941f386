"""YAML read as people mean it, or refused by its line."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from decision_service.catalogues.yaml_text import NotYaml, YamlText


def mistakes(text: str) -> list[tuple[int, str, str]]:
    read = YamlText.read(text)
    return [(read.find_line(mistake.path), mistake.path, mistake.message) for mistake in read.mistakes]


scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(st.characters(codec="utf-8"))
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abcde", min_size=1), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(documents)
def test_what_yaml_writes_is_read_as_yaml_reads_it(document: Any) -> None:
    text = yaml.safe_dump(document, allow_unicode=True)
    read = YamlText.read(text)
    if not read.mistakes:
        assert read.document == yaml.safe_load(text) == document


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        YamlText.read(text)
    except NotYaml:
        return


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("a: 0100", "a", "YAML reads 0100 as the number 64"),
        ("a: -0777", "a", "the number -511"),
        ("a: [1, 1:30]", "a.1", "YAML reads 1:30 as the number 90"),
        ("a: 1:30.5", "a", "the number 90.5"),
        ("a: 2026-11-21", "a", "as a date"),
        ("a: 2026-11-21T10:00:00Z", "a", "as a date"),
        ("a: {no: 1}", "a.no", "the key no as true or false: write it in quotes"),
        ("a: {On: 1}", "a.On", "the key On as true or false"),
        ("a: {7: 1}", "a.7", "the key 7 as a number"),
        ("a: {~: 1}", "a.~", "the key ~ as nothing"),
        ("a: {2026-11-21: 1}", "a.2026-11-21", "the key 2026-11-21 as a date"),
        ("a: {[x]: 1}", "a.?", "a key must be a text"),
        ("a: !shop x", "a", "which means nothing here"),
        ("a: !!python/name:os.system x", "a", "which means nothing here"),
        ("a: !!set {x}", "a", "which means nothing here"),
        ("a: !!int x", "a", "cannot be read"),
        ("a: &a [*a]", "a.0", "refers to itself"),
        ('a: "\\uD800"', "a", "half of a character"),
        ("a: {x: 1, x: 2}", "a.x", "stands twice"),
        ("a: {<<: 7}", "a.<<", "a mapping to merge in"),
    ],
)
def test_what_a_catalogue_cannot_mean_is_refused(text: str, path: str, words: str) -> None:
    ((line, refused, message),) = mistakes(f"first: 1\n{text}\n")
    assert (line, refused) == (2, path)
    assert words in message


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("a: 86_400", {"a": 86_400}),
        ("a: 0", {"a": 0}),
        ("a: '0100'", {"a": "0100"}),
        ("'no': 'off'", {"no": "off"}),
        ("a: {b: 1, <<: {b: 2, c: 3}}", {"a": {"b": 1, "c": 3}}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &x {b: 1}\nc: {<<: [*x, {b: 2, d: 3}]}", {"a": {"b": 1}, "c": {"b": 1, "d": 3}}),
        ("a: !!str 7", {"a": "7"}),
        ("", None),
    ],
)
def test_what_can_be_meant_is_read(text: str, document: Any) -> None:
    read = YamlText.read(text)
    assert (read.document, read.mistakes) == (document, [])


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a:\n\t- b\n", 2, "indent with spaces, not with tabs"),
        ("a: [\n", 2, "is not YAML"),
        ("a: 1\nb: \x00\n", 2, "U+0000"),
        ("a: *missing\n", 1, "undefined alias"),
        ("a: 1\n---\nb: 2\n", 2, "single document"),
        ("[" * 5_000, None, "nested too deeply"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(text: str, line: int | None, words: str) -> None:
    with pytest.raises(NotYaml, match=words.replace("+", r"\+")) as error:
        YamlText.read(text)
    assert error.value.line == line


def test_aliases_of_aliases_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(NotYaml, match="more than"):
        YamlText.read("\n".join(lines))


def test_a_date_never_reaches_the_document() -> None:
    assert not isinstance(YamlText.read("a: 2026-11-21").document["a"], datetime.date)
