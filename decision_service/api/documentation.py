"""The documentation of the routes: what ``/openapi.json`` says of bodies and answers.

Bodies are read raw for speed, so their schemas are given here, from the very types that validate them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from pydantic import BaseModel, TypeAdapter

from decision_service.queries.report import report as tally
from decision_service.queries.report.reporter import ReportAnswer, ReportQuery
from decision_service.queries.shopper_export import Export
from decision_service.queries.timeline import TimelineQuery
from decision_service.schemas.reading_answers import DecisionAnswer, ShopperAnswer, TimelineAnswer
from decision_service.schemas.requests import (
    ClockBody,
    DecideBody,
    MomentBody,
    OutcomeBody,
    PreferencesBody,
    ShopperEventBody,
)
from policies.catalogue.document import Catalogue

_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


@dataclass(frozen=True)
class RouteDoc:
    """One route: its method, path, the endpoint's name, what it takes and what it answers."""

    method: str
    path: str
    name: str
    summary: str
    body: Any = None
    status: int = 200
    query: type[BaseModel] | None = None
    answer: Any = None
    description: str = ""
    optional: bool = False


def route_docs() -> tuple[RouteDoc, ...]:
    """List the routes."""
    return (
        RouteDoc("POST", "/v1/decide", "decide", "Decide which notification to send, or none", DecideBody),
        RouteDoc(
            "POST",
            "/v1/decide/batch",
            "decide_batch",
            "Decide up to 1,000 requests in order",
            {"decisions": list[DecideBody]},
        ),
        RouteDoc(
            "POST",
            "/v1/feedback",
            "feedback",
            "Tell what happened to decisions; one event or up to 1,000",
            {"events": list[OutcomeBody]},
            202,
        ),
        RouteDoc(
            "POST",
            "/v1/decisions/{event_id:path}/activate",
            "activate",
            "Ask once more, because the send is about to leave",
            MomentBody,
            optional=True,
            description="The first answer stands. Delivered after its send time, a send counts from that moment under "
            "caps, gaps, windows and the day's budget, which is not asked again. More than an hour after it the answer "
            "is `expired`, whether activation was deferred or not. A send that was not deferred counts as sent once "
            "its attribution window is over, also where the answer is no after that.",
        ),
        RouteDoc(
            "POST",
            "/v1/decisions/{event_id:path}/cancel",
            "cancel",
            "Take a send back that will not leave",
            MomentBody,
            optional=True,
        ),
        RouteDoc(
            "GET",
            "/v1/decisions/{event_id:path}",
            "decision",
            "Explain a decision",
            answer=DecisionAnswer,
            description="Everything the log knows of it: context, every excluded joint action with its reason, the "
            "distribution, the draw, versions, what became of the send, outcomes, reward, and what was learned.",
        ),
        RouteDoc(
            "POST",
            "/v1/events",
            "events",
            "Tell what shoppers did; one event or up to 1,000",
            {"events": list[ShopperEventBody]},
            202,
        ),
        RouteDoc("GET", "/v1/shoppers/{shopper_id:path}/preferences", "preferences", "Give a shopper's preferences"),
        RouteDoc(
            "PUT",
            "/v1/shoppers/{shopper_id:path}/preferences",
            "put_preferences",
            "Change a shopper's preferences; what is absent keeps its value",
            PreferencesBody,
        ),
        RouteDoc(
            "GET",
            "/v1/shoppers/{shopper_id:path}/timeline",
            "timeline",
            "Give every decision about a shopper with its reason, the latest first",
            query=TimelineQuery,
            answer=TimelineAnswer,
            description="What was evaluated, sent or held and why, whether a send left, and its outcomes. The next "
            "page is asked for with `before` = `next_before`, until that is null. A shopper never seen has no "
            "decisions.",
        ),
        # Behind the longer paths: a shopper's id may hold slashes.
        RouteDoc(
            "GET",
            "/v1/shoppers/{shopper_id:path}",
            "shopper",
            "Export all that is stored about a shopper",
            answer=ShopperAnswer,
            description=(Export.__doc__ or "").partition("\n\n")[2].partition("    Parameters")[0].strip(),
        ),
        RouteDoc(
            "GET",
            "/v1/report",
            "report",
            "Report what was decided and what came of it, straight from the log",
            query=ReportQuery,
            answer=ReportAnswer,
            description=(tally.__doc__ or "").partition("\n\n")[2].strip(),
        ),
        RouteDoc("DELETE", "/v1/shoppers/{shopper_id:path}", "erase", "Erase a shopper", status=204),
        RouteDoc("GET", "/v1/catalog", "catalog", "Give the catalogue in force"),
        RouteDoc(
            "PUT", "/v1/catalog", "put_catalog", "Let another catalogue come into force on every replica", Catalogue
        ),
        RouteDoc("POST", "/v1/clock", "clock", "Let time pass (request clock only)", ClockBody),
        RouteDoc("GET", "/healthz", "healthz", "Alive"),
        RouteDoc("GET", "/readyz", "readyz", "Can decide: state, log and model are at hand"),
        RouteDoc("GET", "/metrics", "metrics", "Prometheus metrics"),
    )


def documented(route: RouteDoc) -> dict[str, Any]:
    """Give the OpenAPI of a route's parameters, body, answer and problems."""
    problem = {"content": {"application/problem+json": {"schema": _PROBLEM_SCHEMA}}}
    extra: dict[str, Any] = {"responses": {"default": {"description": "A problem (RFC 9457)", **problem}}}
    if route.description:
        extra["description"] = route.description
    if parameters := [*_path_parameters(route.path), *_query_parameters(route.query)]:
        extra["parameters"] = parameters
    if route.answer is not None:
        content = {"application/json": {"schema": _answer_schema(route.answer)}}
        extra["responses"][str(route.status)] = {"description": "Successful Response", "content": content}
    if route.body is not None:
        extra["requestBody"] = {
            "required": not route.optional,
            "content": {"application/json": {"schema": _schema(route.body)}},
        }
    return extra


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)(?::path)?}", path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "maxLength": 255}}


def _query_parameters(query: type[BaseModel] | None) -> Iterator[dict[str, Any]]:
    if query is None:
        return
    schema = _schema(query)
    for name, own in schema["properties"].items():
        told = {"description": own["description"]} if "description" in own else {}
        yield {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": own, **told}


def _answer_schema(answer: Any) -> dict[str, Any]:
    (schema,), components = msgspec.json.schema_components([answer], ref_template="#/$defs/{name}")
    return _inline({**schema, "$defs": components})


def _schema(body: Any) -> dict[str, Any]:
    if isinstance(body, dict):
        ((name, kind),) = body.items()
        return {"type": "object", "required": [name], "properties": {name: _inline(TypeAdapter(kind).json_schema())}}
    if isinstance(body, type) and issubclass(body, BaseModel):
        return _inline(body.model_json_schema())
    raise TypeError(f"{body!r} describes no body")


def _inline(schema: dict[str, Any]) -> dict[str, Any]:
    """Put definitions where they are used: OpenAPI keeps none inside a body's schema."""
    definitions = schema.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolve(definitions[node["$ref"].rpartition("/")[2]])
            return {name: resolve(value) for name, value in node.items()}
        return [resolve(each) for each in node] if isinstance(node, list) else node

    resolved: dict[str, Any] = resolve(schema)
    return resolved
