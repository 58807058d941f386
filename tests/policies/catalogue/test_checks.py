"""One answer names every mistake: what has the wrong type, and what is right but cannot be meant."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.checks import find_mistakes
from policies.catalogue.document import Catalogue
from policies.catalogue.mistakes import CatalogueError
from tests.factories import small_document
from tests.strategies import catalogues


def mistakes(document: Any) -> dict[str, str]:
    with pytest.raises(CatalogueError) as error:
        Catalogue.from_document(document)
    return {mistake.path: mistake.message for mistake in error.value.mistakes}


def test_mistakes_of_meaning_are_named_beside_mistakes_of_structure() -> None:
    document = small_document(defaults={"time_zone": "localtime"}, delays_s=[3600, 0], colour="red")
    document["channels"]["push"]["attribution_window_s"] = "long"
    document["messages"]["hint"]["triggers"] = ["wishlst", 7]
    assert set(mistakes(document)) == {
        "colour",
        "channels.push.attribution_window_s",
        "messages.hint.triggers.1",
        "defaults.time_zone",
        "delays_s",
        "messages.hint.triggers.0",
        "triggers.wishlist",
    }


def test_a_mistake_is_named_once() -> None:
    assert list(mistakes(small_document(delays_s=[]))) == ["delays_s"]


values: st.SearchStrategy[Any] = st.sampled_from(
    (None, True, 7, -1.5, "x", [], {}, ["x"], [7], {"x": 7}, {"x": {}}, {"x": None})
)


def paths_of(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [path, *(deeper for key, value in inner for deeper in paths_of(value, (*path, key)))]


@given(catalogues(), st.data())
def test_a_value_of_any_type_anywhere_is_a_mistake_or_is_read_and_never_an_error(
    document: dict[str, Any], data: st.DataObject
) -> None:
    changed = copy.deepcopy(document)
    for path in data.draw(st.lists(st.sampled_from(paths_of(document)[1:]), min_size=1, max_size=3)):
        *way, last = path
        holder: Any = changed
        try:
            for key in way:
                holder = holder[key]
            holder[last] = copy.deepcopy(data.draw(values))  # the next change may be made inside this value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has taken this place away
    try:
        Catalogue.from_document(changed)
    except CatalogueError:
        return
    assert find_mistakes(changed) == []


def test_a_document_that_is_nested_too_deeply_is_a_mistake() -> None:
    deep: Any = {}
    for _ in range(50_000):
        deep = [deep]
    assert mistakes(small_document(caps=deep)) == {"": "is nested too deeply"}


@pytest.mark.parametrize("value", [16**5_000, b"x", {1}, {(1,): 1}], ids=type)
def test_a_value_that_json_cannot_write_is_a_mistake(value: Any) -> None:
    assert mistakes(small_document(caps=value))[""].startswith("holds what JSON cannot write: ")


def test_a_document_that_contains_itself_is_a_mistake() -> None:
    document = small_document()
    document["caps"] = [document]
    assert mistakes(document) == {"": "holds what JSON cannot write: Circular reference detected"}


def test_a_very_long_name_is_not_compared_with_all_others() -> None:
    zone = "Europe/" * 100_000
    named = mistakes(small_document(defaults={"time_zone": zone}))
    assert len(named["defaults.time_zone"]) < 200


@pytest.mark.parametrize("document", [None, [], "x", 7])
def test_what_is_no_mapping_has_no_meaning(document: object) -> None:
    assert find_mistakes(document) == []


@pytest.mark.parametrize(
    ("parts", "part", "words"),
    [
        ({"body": "\u200b"}, "body", "no character of it can be seen"),
        ({"body": "Hi", "footer": "{% if a is defined %} {% endif %}"}, "footer", "no character of it can be seen"),
        ({"body": "{{ a | d('\u2800') }}"}, "body", "constant must not be blank"),
        ({"body": "{{ true }}"}, "body", "True would be read as it stands"),
        ({"body": "{{ a | d(none) }}"}, "body", "None would be read as it stands"),
        ({"body": "Hi", "data": "Hi"}, "data", "the service's own part"),
        ({"body": "Hi", "title": "{{ a.b }}"}, "title", "is not possible in a template"),
    ],
)
def test_a_part_that_a_shopper_could_not_read_is_refused(parts: dict[str, str], part: str, words: str) -> None:
    document = small_document()
    document["messages"]["hint"]["templates"] = {"push": {"en": parts}}
    named = mistakes(document)
    assert list(named) == [f"messages.hint.templates.push.en.{part}"]
    assert words in named[f"messages.hint.templates.push.en.{part}"]


def test_every_part_with_a_mistake_is_named() -> None:
    document = small_document()
    parts = {"title": "{{", "body": " ", "cta": "{{ 1 + 1 }}"}
    document["messages"]["hint"]["templates"] = {"push": {"en": parts}}
    assert {path.rpartition(".")[2] for path in mistakes(document)} == {"title", "body", "cta"}
