"""Every parameter and every field of every operation, with values that break databases and parsers."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.decision_service.conftest import Start
from tests.decision_service.documented import Operation, operations
from tests.factories import small_document

pytestmark = pytest.mark.anyio

INTEGERS = [0, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30, 10**400]
TEXTS = ["", " ", "x" * 300, "x" * 2_000, "a\x00b", "%", "..", "/", "a/b", "señora", "👍", "\ud83d", "1", "null", "-0"]
TIMES = ["2026-11-21T17:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2100-01-01T00:00:00Z", "now"]
VALUES: list[Any] = [
    *(None, True, [], {}, [None], {"": 0}, 0.5, -0.0, 1e308, float("inf"), float("nan")),
    *(*INTEGERS, *TEXTS, *TIMES),
]
PATH_PARTS = [*TEXTS[1:-4], "e-1", "s-1", "cart-88213-1", "s-42", "%FF", "%ED%A0%BD", "%00", "%2F"]


@dataclass(frozen=True)
class Call:
    """One request."""

    operation: Operation
    path: str
    query: dict[str, str]
    content: bytes | None


@st.composite
def calls(draw: st.DrawFn) -> Call:
    operation = draw(st.sampled_from(operations()))
    path, query = operation.path, {}
    for parameter in operation.description.get("parameters", ()):
        name = parameter["name"]
        if parameter["in"] == "path":
            part = draw(st.sampled_from(PATH_PARTS))
            path = path.replace(f"{{{name}}}", part if part.startswith("%") and len(part) > 1 else quote(part))
        elif draw(st.booleans()):
            query[name] = str(draw(st.sampled_from(VALUES[-len(INTEGERS) - len(TEXTS) - len(TIMES) :])))
    body = operation.request_example
    content = None if body is None else json.dumps(draw(change_values(body))).encode()
    return Call(operation, path, {name: value.replace("\ud83d", "?") for name, value in query.items()}, content)


@st.composite
def change_values(draw: st.DrawFn, document: Any) -> Any:
    """Return a document in which some values are others, or a field is missing or unknown."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, 3))):
        node = document
        while isinstance(node, dict | list) and node:
            key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            child = node[key]
            if not isinstance(child, dict | list) or not child or draw(st.integers(0, 3)) == 0:
                node[key] = draw(st.sampled_from(VALUES))
                break
            node = child
        if isinstance(document, dict) and draw(st.integers(0, 5)) == 0:
            document[draw(st.sampled_from(["now", "at", "colour", "events", "\ud83d"]))] = draw(st.sampled_from(VALUES))
    return document


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sequence=st.lists(calls(), min_size=60, max_size=60), clock=st.just("wall"))
async def test_no_value_of_any_parameter_breaks_the_service(replica: Start, sequence: list[Call], clock: str) -> None:
    """The client of the replica also checks that every answer is as documented."""
    async with replica(small_document(), clock=clock) as service:
        for call in sequence:
            answer = await service.client.request(
                call.operation.method, call.path, params=call.query, content=call.content
            )
            assert answer.status_code < 500, (call, answer.text)


async def test_a_log_position_beyond_the_database_is_refused(replica: Start) -> None:
    async with replica(small_document()) as service:
        largest = await service.client.get(f"/v1/shoppers/s-1/timeline?before={2**63 - 1}")
        assert largest.status_code == 200
        for text in (str(2**63), str(-(2**63) - 1), str(10**30), "1" + "0" * 5_000):
            answer = await service.client.get(f"/v1/shoppers/s-1/timeline?before={text}")
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "before")


@pytest.mark.parametrize("delay_s", [2**63, 2**64, 10**30])
async def test_a_number_beyond_the_encoder_is_refused(replica: Start, delay_s: int) -> None:
    body = {"shopper_id": "s-1", "triggers": [{"type": "wishlist"}], "exclude": [{"delay_s": delay_s}]}
    async with replica(small_document(), clock="wall") as service:
        assert (await service.post("/v1/decide", body)).status_code == 422
        batch = await service.post("/v1/decide/batch", {"decisions": [body, {**body, "exclude": []}]})
        first, second = batch.json()["results"]
        assert (first["error"]["status"], second["decision"]) == (422, "send")
