"""The named schemas of the OpenAPI document, made from the same types that read bodies and write answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

import msgspec
from pydantic import BaseModel, TypeAdapter

from decision_service.errors import FieldError
from decision_service.queries.report.report import GroupAnswer
from decision_service.queries.report.reporter import ReportAnswer
from decision_service.schemas import (
    command_answers,
    decision_answer,
    preferences,
    preferences_change,
    problems,
    reading_answers,
    requests,
)
from decision_service.schemas.body_types import StructBody
from policies.catalogue import document as catalogue
from policies.exclusions import ExclusionCount
from policies.records.rows import PolicyRecord

NAMES: dict[type, str] = {
    requests.DecideBody: "DecideRequest",
    requests.TriggerBody: "Trigger",
    requests.ExclusionBody: "Exclusion",
    requests.BatchBody: "DecideBatchRequest",
    requests.OutcomeBody: "FeedbackEvent",
    requests.OutcomesBody: "FeedbackRequest",
    requests.ShopperEventBody: "ShopperEvent",
    requests.ShopperEventsBody: "ShopperEventsRequest",
    requests.MomentBody: "Moment",
    preferences_change.PreferencesBody: "PreferencesChange",
    requests.ClockBody: "ClockRequest",
    decision_answer.SendAnswer: "Send",
    decision_answer.HoldAnswer: "Hold",
    decision_answer.ActionAnswer: "Action",
    ExclusionCount: "Excluded",
    command_answers.ItemAnswer: "ItemResult",
    command_answers.ItemsAnswer: "ItemResults",
    command_answers.PermissionAnswer: "Permission",
    command_answers.CancellationAnswer: "Cancellation",
    command_answers.CatalogueVersionAnswer: "CatalogueVersion",
    command_answers.ClockAnswer: "Clock",
    command_answers.AliveAnswer: "Alive",
    command_answers.ReadyAnswer: "Ready",
    preferences.PreferencesAnswer: "Preferences",
    preferences.QuietHoursAnswer: "QuietHours",
    reading_answers.DecisionAnswer: "DecisionExplanation",
    reading_answers.TriggerAnswer: "ExplainedTrigger",
    reading_answers.TimelineAnswer: "Timeline",
    reading_answers.EntryAnswer: "TimelineEntry",
    reading_answers.ShopperAnswer: "ShopperExport",
    ReportAnswer: "Report",
    GroupAnswer: "ReportGroup",
    PolicyRecord: "Policy",
    problems.Problem: "Problem",
    FieldError: "FieldError",
    catalogue.Catalogue: "Catalogue",
}
"""The public names of the types of bodies and answers. A type that is not listed keeps its class name. `Answer` at
its end is cut. A part of the catalogue gets the prefix `Catalogue`."""

DECISION, BATCH_RESULT, BATCH_RESULTS = "Decision", "DecideBatchResult", "DecideBatchResults"

_ITEMS: dict[type[BaseModel], tuple[str, type[BaseModel]]] = {
    requests.OutcomesBody: ("events", requests.OutcomeBody),
    requests.ShopperEventsBody: ("events", requests.ShopperEventBody),
}
"""Bodies with a list: first the list is validated, then each item alone. The values are the field of the list, and the
type of an item. The body's own type does not name the type of an item, so the schema gets it from here."""

_TYPE_NAMES: dict[type, str] = {str: "string", bool: "boolean", int: "integer"}


def reference(kind: type | str) -> dict[str, str]:
    """Return a reference to a schema by its public name; for a type of `NAMES`, the name is looked up."""
    return {"$ref": f"#/components/schemas/{kind if isinstance(kind, str) else NAMES[kind]}"}


def component_schemas() -> dict[str, dict[str, Any]]:
    """Return all named schemas, in the order of their names."""
    models = _schemas_of_models([kind for kind in NAMES if issubclass(kind, BaseModel | StructBody)])
    for kind, (field, item) in _ITEMS.items():
        models[NAMES[kind]]["properties"][field]["items"] = reference(item)
    structs = _schemas_of_structs([kind for kind in NAMES if not issubclass(kind, BaseModel | StructBody)])
    return dict(sorted((models | structs | _unions()).items()))


def _unions() -> dict[str, dict[str, Any]]:
    send, hold = reference(decision_answer.SendAnswer), reference(decision_answer.HoldAnswer)
    return {
        DECISION: {
            "description": "Send this notification, or hold: `decision` says which.",
            "oneOf": [send, hold],
            "discriminator": {"propertyName": "decision", "mapping": {"send": send["$ref"], "hold": hold["$ref"]}},
        },
        "DecideBatchError": {
            "description": "Why one request of a batch has no decision.",
            "type": "object",
            "properties": {"error": reference(problems.Problem)},
            "required": ["error"],
        },
        BATCH_RESULT: {"oneOf": [send, hold, reference("DecideBatchError")]},
        BATCH_RESULTS: {
            "description": "One result per request, in the same order.",
            "type": "object",
            "properties": {"results": {"type": "array", "items": reference(BATCH_RESULT)}},
            "required": ["results"],
        },
    }


def _schemas_of_models(models: Iterable[type[BaseModel] | type[StructBody]]) -> dict[str, dict[str, Any]]:
    _, document = TypeAdapter.json_schemas(
        [(model, "validation", TypeAdapter(model)) for model in models], ref_template="{model}"
    )
    in_catalogue = {
        name for name, value in vars(catalogue).items() if isinstance(value, type) and issubclass(value, BaseModel)
    }
    return _rename(document["$defs"], lambda name: f"Catalogue{name}" if name in in_catalogue else name)


def _schemas_of_structs(structs: Iterable[type]) -> dict[str, dict[str, Any]]:
    _, schemas = msgspec.json.schema_components(structs, ref_template="{name}")
    return _rename(schemas, lambda name: name.removesuffix("Answer"))


def _rename(schemas: dict[str, Any], public_name: Callable[[str], str]) -> dict[str, dict[str, Any]]:
    """Return the schemas by their public names; ``public_name`` names a class that is not in `NAMES`."""
    listed = {kind.__name__: name for kind, name in NAMES.items()}
    names = {name: listed.get(name) or public_name(name) for name in schemas}
    return {names[name]: simplify(schema, names) for name, schema in schemas.items()}


def simplify(schema: Any, names: dict[str, str]) -> Any:
    """Return the schema with the keywords that client generators understand best.

    Titles are dropped: they only repeat a name. A union of plain types becomes a list of types. `patternProperties`
    becomes `propertyNames` plus `additionalProperties`. An enumeration gets a `type`. A reference to a class becomes a
    reference to the public name of the class, which ``names`` contains.

    >>> simplify({"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}], "title": "Locale"}, {})
    {'type': ['string', 'null'], 'maxLength': 9}
    >>> simplify({"$ref": "TriggerBody"}, {"TriggerBody": "Trigger"})
    {'$ref': '#/components/schemas/Trigger'}
    """
    if isinstance(schema, list):
        return [simplify(item, names) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: _simplify_keyword(key, value, names) for key, value in schema.items() if key != "title"}
    if "$ref" in schema:
        schema |= reference(names[schema["$ref"]])
    if "description" in schema:
        schema["description"] = schema["description"].partition("\n\nExamples\n")[0].replace("``", "`")
    if "enum" in schema:
        schema = {"type": _TYPE_NAMES[type(schema["enum"][0])], **schema}
    if "patternProperties" in schema:
        ((pattern, values),) = schema.pop("patternProperties").items()
        property_names = {**schema.pop("propertyNames", {}), "pattern": pattern}
        schema |= {"propertyNames": property_names, "additionalProperties": values}
    if "anyOf" in schema and all(_is_plain(member) for member in schema["anyOf"]):
        schema = _merge(schema.pop("anyOf")) | schema
    return schema


def _simplify_keyword(key: str, value: Any, names: dict[str, str]) -> Any:
    if key in ("default", "examples", "enum", "required"):
        return value
    if key == "properties":  # the keys are names of properties, not keywords: a property may be called "title"
        return {name: simplify(schema, names) for name, schema in value.items()}
    return simplify(value, names)


def _is_plain(schema: dict[str, Any]) -> bool:
    return "type" in schema and "enum" not in schema


def _merge(members: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one schema that allows what at least one member of a union allows.

    This is safe: a keyword such as `maxLength` only limits values of its own type.
    """
    merged: dict[str, Any] = reduce(lambda one, other: one | other, members)
    types: list[str] = []
    for member in members:
        types += [member["type"]] if isinstance(member["type"], str) else member["type"]
    if "number" in types:
        types = [name for name in types if name != "integer"]  # every integer is also a number
    return {**merged, "type": types}
