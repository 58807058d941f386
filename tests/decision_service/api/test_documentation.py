"""The OpenAPI document: complete, committed, and true."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from decision_service.api.application import Api
from decision_service.api.documentation import openapi_text
from tests.decision_service.conftest import Replica, Start
from tests.decision_service.documented import Operation, document, mistakes, operations
from tests.factories import small_document

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"


def test_the_committed_document_is_what_the_service_says() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == openapi_text(Api()), "run `make openapi` and read the difference"


async def read_document(start: Start) -> Any:
    async with start(small_document()) as service:
        return (await service.client.get("/openapi.json")).json()


@pytest.mark.anyio
async def test_a_running_service_tells_the_same(replica: Start) -> None:
    assert await read_document(replica) == json.loads(COMMITTED.read_text(encoding="utf-8"))


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if "$ref" in node else []
        return here + [name for part in node.values() for name in references(part)]
    return [name for part in node for name in references(part)] if isinstance(node, list) else []


def test_every_named_schema_is_there_and_used() -> None:
    used = {name.removeprefix("#/components/schemas/") for name in references(document())}
    assert used == set(document()["components"]["schemas"])


def test_operations_have_names_of_their_own_and_one_known_tag() -> None:
    assert max(Counter(operation.name for operation in operations()).values()) == 1
    known = {tag["name"] for tag in document()["tags"]}
    assert all(len(operation.description["tags"]) == 1 for operation in operations())
    assert {operation.description["tags"][0] for operation in operations()} == known


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.name)
def test_every_operation_says_what_it_answers(operation: Operation) -> None:
    status, answer = operation.success
    assert ("content" in answer) == (status != 204)
    assert "default" in operation.description["responses"]
    assert operation.description["summary"]
    assert operation.description["description"]
    if operation.path.startswith("/v1"):
        assert "Retry-After" in operation.description["responses"]["503"]["headers"]


def test_one_field_says_which_kind_of_decision_an_answer_is() -> None:
    decision = document()["components"]["schemas"]["Decision"]
    assert decision["discriminator"]["propertyName"] == "decision"
    assert set(decision["discriminator"]["mapping"]) == {"send", "hold"}


@pytest.mark.anyio
@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.name)
async def test_every_example_is_answered_as_documented(replica: Start, operation: Operation) -> None:
    """The replica's client checks status, headers and content of every answer against the document."""
    clock = "request" if operation.name == "advanceClock" else "wall"
    async with replica(small_document(), policy="rule", clock=clock) as service:
        if clock == "wall" and not operation.name.startswith("decide"):
            await decide_first(service)
        answer = await service.client.request(operation.method, operation.example_path, json=operation.request_example)
        status, documented = operation.success
        assert answer.status_code == status, answer.text
        (content,) = documented.get("content", {"": {}}).values()
        if "example" in content:
            assert answer.json() == content["example"]


async def decide_first(service: Replica) -> None:
    """Make the decision that the other examples are about."""
    (decide,) = [operation for operation in operations() if operation.name == "decide"]
    answer = await service.post("/v1/decide", decide.request_example)
    assert answer.json()["decision"] == "send"


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.name)
def test_every_operation_has_an_example_that_its_own_schema_allows(operation: Operation) -> None:
    _, answer = operation.success
    (content,) = answer.get("content", {"": {}}).values()
    has_parameters = "{" in operation.path
    is_plain_get = operation.method == "GET" and not has_parameters
    assert operation.request_example is not None or has_parameters or "example" in content or is_plain_get
    if operation.request_example is not None:
        schema = operation.description["requestBody"]["content"]["application/json"]["schema"]
        assert mistakes(operation.request_example, schema) == []


def test_an_answer_that_is_not_documented_is_found() -> None:
    """The check of the answers can fail."""
    decision = {"$ref": "#/components/schemas/Decision"}
    assert mistakes({"decision": "send"}, decision) != []
    permission = {"$ref": "#/components/schemas/Permission"}
    assert mistakes({"deliver": True}, permission) == []
    assert mistakes({"deliver": "yes"}, permission) != []
    assert mistakes({"deliver": True, "colour": "red"}, permission) != []
