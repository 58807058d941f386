"""The OpenAPI document: what stands beside each route, with the named schemas, for readers and client generators."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from decision_service.api.components import component_schemas, reference, simplify
from decision_service.api.problems import MEDIA_TYPE, status_of
from decision_service.errors import Malformed, ServiceError, TooLarge, Unavailable
from decision_service.schemas.problems import Problem

TITLE, VERSION = "Notification decision service", "1"

_DESCRIPTION = """Decides which notification a shopper gets, on which channel and when, or that none is sent.

Times are ISO 8601 with a zone; answers are in UTC. Durations are seconds and end with `_s`. Unknown fields are \
refused by name. Every error is a problem document (RFC 9457)."""

_TAGS = {
    "Decisions": "Decide, ask again before a send leaves, take a send back, explain a decision.",
    "Feedback": "What became of the notifications that were sent.",
    "Shoppers": "What shoppers do and want, what was decided about them, their data.",
    "Catalogue": "What may be sent, and under which rules.",
    "Report": "What was decided and what came of it.",
    "Operate": "Probes, metrics, and the clock of simulations.",
}

REPLAYED = {
    "Idempotent-Replay": {
        "description": "`true`: this event id was decided before, and these are the bytes of the first answer.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
CATALOGUE_VERSION = {"Catalog-Version": {"description": "The version of the catalogue.", "schema": {"type": "integer"}}}
_RETRY_AFTER = {"Retry-After": {"description": "After how many seconds to try again.", "schema": {"type": "integer"}}}


def describe(
    operation_id: str,
    summary: str,
    *,
    answer: type | str | None = None,
    text: str | None = None,
    status: int = 200,
    body: type | None = None,
    body_is_optional: bool = False,
    errors: Sequence[type[ServiceError]] = (),
    headers: Mapping[str, Any] | None = None,
    example: object = None,
    answer_example: object = None,
) -> dict[str, Any]:
    """Describe a route: the arguments of its decorator.

    Parameters
    ----------
    operation_id, summary
        What client generators call it, and one line of what it does.
    answer, text, status, headers, answer_example
        The successful answer: its type (or the name of a union) in `components`, or the media type of a plain text;
        its status and headers, and an example.
    body, body_is_optional, example
        What is read, and an example.
    errors
        What may go wrong beside a body that cannot be read.
    """
    raised = {*errors, *((Malformed, TooLarge) if body is not None else ())}
    success: dict[str, Any] = {"description": "Success"}
    if answer is not None:
        success["content"] = {"application/json": _content(answer, answer_example)}
    if text is not None:
        success["content"] = {text: {"schema": {"type": "string"}}}
    if headers is not None:
        success["headers"] = headers
    described: dict[str, Any] = {
        "operation_id": operation_id,
        "summary": summary,
        "status_code": status,
        "response_class": Response,
        "responses": {status: success, **_problems(raised)},
    }
    if body is not None:
        content = {"application/json": _content(body, example)}
        described["openapi_extra"] = {"requestBody": {"required": not body_is_optional, "content": content}}
    return described


def _content(kind: type | str, example: object) -> dict[str, Any]:
    return {"schema": reference(kind), **({} if example is None else {"example": example})}


def _problems(errors: set[type[ServiceError]]) -> dict[int | str, Any]:
    content = {MEDIA_TYPE: {"schema": reference(Problem)}}
    problems: dict[int | str, Any] = {}
    for error in sorted(errors, key=status_of):
        headers = {"headers": _RETRY_AFTER} if error.retry_after_s is not None else {}
        problems[status_of(error).value] = {"description": inspect.getdoc(error), "content": content, **headers}
    if Unavailable in errors:
        problems[429] = {"description": "Too many requests are waiting.", "headers": _RETRY_AFTER}
    problems["default"] = {"description": "Any other problem.", "content": content}
    return problems


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Make the OpenAPI document of an application: its routes, and the schemas that they refer to."""
    document = get_openapi(
        title=TITLE,
        version=VERSION,
        description=_DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": description} for name, description in _TAGS.items()],
        servers=[{"url": "/"}],
    )
    for operation in _operations(document):
        operation["description"] = inspect.cleandoc(operation.get("description", operation["summary"]))
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = simplify(parameter["schema"], {})
    document["components"] = {
        "schemas": component_schemas(),
        "securitySchemes": {
            "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "Not asked for yet: the service answers without a key.",
            }
        },
    }
    document["security"] = [{}, {"key": []}]
    return document


def openapi_text(app: FastAPI) -> str:
    """Write the OpenAPI document as it is kept in ``docs/openapi.json``."""
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]
