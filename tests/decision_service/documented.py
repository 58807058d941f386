"""What the OpenAPI document says, as a check of real answers: status, headers, media type and content."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
from jsonschema import Draft202012Validator

from decision_service.api.application import Api

_OF_THE_SERVER = {"content-length", "content-type"}
"""Headers that every HTTP server sends."""

_LONGEST = 20_000
"""Bytes of a content that is still compared with its schema."""


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    method: str
    path: str
    description: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.description["operationId"])

    @property
    def request_example(self) -> Any:
        """The example of the body, None where there is no body."""
        body = self.description.get("requestBody")
        return None if body is None else body["content"]["application/json"]["example"]

    @property
    def success(self) -> tuple[int, dict[str, Any]]:
        """The status of success, and what is said of its answer."""
        ((status, answer),) = [
            (int(status), answer) for status, answer in self.description["responses"].items() if status.startswith("2")
        ]
        return status, answer

    @property
    def example_path(self) -> str:
        """The path with the examples of its parameters."""
        path = self.path
        for parameter in self.description.get("parameters", ()):
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", parameter["schema"]["examples"][0])
        return path

    def has_path(self, path: str) -> bool:
        return re.fullmatch(re.sub(r"{\w+}", ".*", self.path), path, re.DOTALL) is not None


@cache
def document() -> dict[str, Any]:
    return Api().openapi()


@cache
def operations() -> tuple[Operation, ...]:
    return tuple(
        Operation(method.upper(), path, description)
        for path, methods in document()["paths"].items()
        for method, description in methods.items()
    )


@cache
def _closed_schemas() -> dict[str, Any]:
    """Return the named schemas so that a field which they do not name is a mistake.

    The document itself leaves answers open: a later version may add fields.
    """
    schemas: dict[str, dict[str, Any]] = document()["components"]["schemas"]
    return {
        name: {"additionalProperties": False, **schema} if "properties" in schema else schema
        for name, schema in schemas.items()
    }


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({"components": {"schemas": _closed_schemas()}, **json.loads(schema)})


def mistakes(content: object, schema: dict[str, Any]) -> list[str]:
    """Name what a content has that its schema forbids or does not name."""
    return [f"{error.json_path}: {error.message}" for error in _validator(json.dumps(schema)).iter_errors(content)]


def find_operation(method: str, path: str) -> Operation | None:
    """Return the operation of a request; an id may hold slashes, so the longest path that matches has the say."""
    paths = [operation.path for operation in operations() if operation.has_path(path)]
    longest = max(paths, key=len, default=None)
    return next((one for one in operations() if (one.method, one.path) == (method, longest)), None)


async def check(response: httpx2.Response) -> None:
    """Fail when an answer is not as documented; paths and methods that no operation has are the framework's."""
    request = response.request
    operation = find_operation(request.method, request.url.path)
    if operation is None:
        return
    answers, status = operation.description["responses"], str(response.status_code)
    assert status in answers or status == "500", f"{operation.name} answers {status}, which is not documented"
    answer = answers.get(status, answers["default"])
    headers = {name.lower() for name in answer.get("headers", ())} | _OF_THE_SERVER
    assert set(response.headers) <= headers, f"{operation.name}: undocumented headers in {response.headers}"
    await response.aread()
    if response.content:
        media_type = response.headers["content-type"].partition(";")[0]
        schema = answer["content"][media_type]["schema"]
        if media_type.endswith("json") and len(response.content) <= _LONGEST:
            assert mistakes(response.json(), schema) == [], f"{operation.name}: {response.text}"
