"""Named schemas: complete, and in the words of client generators."""

from __future__ import annotations

from collections import Counter
from typing import Any

from decision_service.api.components import NAMES, component_schemas, simplify


def parts(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [part for child in node for part in parts(child)]
    return [node, *(part for child in node.values() for part in parts(child))] if isinstance(node, dict) else []


def test_public_names_are_given_once() -> None:
    assert max(Counter(NAMES.values()).values()) == 1
    assert set(NAMES.values()) <= set(component_schemas())


def test_no_schema_takes_the_place_of_another() -> None:
    """The trigger of a request, of an explained decision and of the catalogue are three things."""
    schemas = component_schemas()
    assert "expires_at" in schemas["Trigger"]["properties"]
    assert schemas["ExplainedTrigger"]["required"] == [
        "type",
        "priority",
        "critical",
        "occurred_at",
        "expires_at",
        "ends_on",
        "attributes",
    ]
    assert "expires_s" in schemas["CatalogueTrigger"]["properties"]


def test_generators_meet_no_word_that_they_misread() -> None:
    for part in parts(component_schemas()):
        assert "patternProperties" not in part
        assert not ("enum" in part and "type" not in part and isinstance(part["enum"], list))


def test_a_property_may_be_called_title() -> None:
    assert "title" in component_schemas()["Problem"]["properties"]


def test_a_map_keeps_the_rule_for_its_keys() -> None:
    schema = {"type": "object", "patternProperties": {"^a": {"type": "integer"}}, "propertyNames": {"maxLength": 3}}
    assert simplify(schema, {}) == {
        "type": "object",
        "propertyNames": {"maxLength": 3, "pattern": "^a"},
        "additionalProperties": {"type": "integer"},
    }


def test_a_union_with_an_enumeration_stays_a_union() -> None:
    schema = {"anyOf": [{"enum": ["day"], "type": "string"}, {"type": "null"}]}
    assert simplify(schema, {}) == schema
