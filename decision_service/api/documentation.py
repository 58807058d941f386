"""The OpenAPI document, made from the routes and the named schemas, for readers and client generators."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from decision_service.api.components import component_schemas, reference, simplify
from decision_service.api.problems import MEDIA_TYPE, status_of
from decision_service.errors import Malformed, ServiceError, TooLarge, Unavailable
from decision_service.schemas.problems import Problem

TITLE, VERSION = "Notification decision service", "1"

_DESCRIPTION = """The service decides which notification a shopper gets, on which channel and when, or sends none.

Times are ISO 8601 with a zone; answers are in UTC. Durations are in seconds, and their names end with `_s`. Unknown \
fields are refused by name. Every error is a problem document (RFC 9457)."""

_TAGS = {
    "Decisions": "Decide, activate or cancel a send, explain a decision.",
    "Feedback": "Outcomes of the notifications that were sent.",
    "Shoppers": "Events, preferences and data of shoppers, and the decisions about them.",
    "Catalogue": "The messages that may be sent, and the rules for them.",
    "Report": "Decisions and their outcomes in numbers.",
    "Operate": "Probes, metrics, and the clock of simulations.",
}

REPLAYED = {
    "Idempotent-Replay": {
        "description": "`true`: the event id was decided before, and the answer has the bytes of the first answer.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
CATALOGUE_VERSION = {"Catalog-Version": {"description": "The version of the catalogue.", "schema": {"type": "integer"}}}
_RETRY_AFTER = {
    "Retry-After": {"description": "The seconds to wait before the next try.", "schema": {"type": "integer"}}
}


@dataclass(frozen=True)
class Reads:
    """The body that an operation reads: its type, an example, and whether it may be absent."""

    body: type
    example: object
    optional: bool = False

    def request_body(self) -> dict[str, Any]:
        """Describe the body for OpenAPI."""
        content = {"schema": reference(self.body), "example": self.example}
        return {"required": not self.optional, "content": {"application/json": content}}


@dataclass(frozen=True)
class Answers:
    """The answer of an operation that succeeds.

    Parameters
    ----------
    schema
        A type or a union of `components`; None: a text, or nothing.
    example
        An answer as it comes when the examples of all operations are sent to a new service.
    status, headers, media_type
        Of the answer; without a media type it has no content.
    """

    schema: type | str | None = None
    example: object = None
    status: int = 200
    headers: Mapping[str, Any] | None = None
    media_type: str | None = "application/json"

    def response(self) -> dict[str, Any]:
        """Describe the answer for OpenAPI."""
        content: dict[str, Any] = {"schema": {"type": "string"} if self.schema is None else reference(self.schema)}
        if self.example is not None:
            content["example"] = self.example
        response: dict[str, Any] = {"description": "Success"}
        if self.media_type is not None:
            response["content"] = {self.media_type: content}
        if self.headers is not None:
            response["headers"] = self.headers
        return response


def describe(
    operation_id: str,
    summary: str,
    answers: Answers,
    *,
    reads: Reads | None = None,
    errors: Sequence[type[ServiceError]] = (),
) -> dict[str, Any]:
    """Make the arguments of a route's decorator that document the route.

    Parameters
    ----------
    operation_id, summary
        The name of the operation in generated clients, and one line about it.
    answers, reads
        The successful answer, and the body.
    errors
        The errors that the operation raises, beside those of a body that cannot be read.
    """
    raised = {*errors, *((Malformed, TooLarge) if reads is not None else ())}
    return {
        "operation_id": operation_id,
        "summary": summary,
        "status_code": answers.status,
        "response_class": Response,
        "responses": {answers.status: answers.response(), **_problems(raised)},
        "openapi_extra": None if reads is None else {"requestBody": reads.request_body()},
    }


def _problems(errors: set[type[ServiceError]]) -> dict[int | str, Any]:
    content = {MEDIA_TYPE: {"schema": reference(Problem)}}
    problems: dict[int | str, Any] = {}
    for error in sorted(errors, key=status_of):
        headers = {"headers": _RETRY_AFTER} if error.retry_after_s is not None else {}
        problems[status_of(error).value] = {"description": inspect.getdoc(error), "content": content, **headers}
    if Unavailable in errors:
        problems[429] = {"description": "Too many requests are waiting.", "content": content, "headers": _RETRY_AFTER}
    problems["default"] = {"description": "Any other problem.", "content": content}
    return problems


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Make the OpenAPI document of an application: its routes and the schemas of their bodies and answers."""
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
                "description": "Reserved for later: the service does not ask for a key yet.",
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
