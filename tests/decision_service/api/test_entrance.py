"""Every path: bytes that are no text are refused, and GET routes answer HEAD."""

from __future__ import annotations

import httpx2
import pytest

from tests.decision_service.conftest import Start
from tests.decision_service.documented import operations
from tests.factories import small_document

pytestmark = pytest.mark.anyio

PROBLEM = "application/problem+json"


@pytest.mark.parametrize("part", ["%FF", "caf%E9", "%ED%A0%BD", "%C3", "a%80b"])
async def test_a_path_that_is_no_text_is_refused(replica: Start, part: str) -> None:
    """Otherwise all of them would be the same person: a server writes one character for each bad byte."""
    async with replica(small_document()) as service:
        rows = service.rows()
        for method, path in (
            ("GET", f"/v1/shoppers/{part}"),
            ("PUT", f"/v1/shoppers/{part}/preferences"),
            ("DELETE", f"/v1/shoppers/{part}"),
            ("GET", f"/v1/decisions/{part}"),
            ("POST", f"/v1/decisions/{part}/cancel"),
        ):
            request = httpx2.Request(method, f"http://service{path}", json={"locale": "es"})
            assert part.encode() in request.url.raw_path
            answer = await service.client.send(request)
            assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM), (method, path)
        assert service.rows() == rows


async def test_two_people_whose_ids_are_text_stay_two(replica: Start) -> None:
    async with replica(small_document()) as service:
        await service.client.put("/v1/shoppers/caf%C3%A9/preferences", json={"locale": "es"})
        other = await service.client.get("/v1/shoppers/caf%EF%BF%BD/preferences")
        assert other.json()["locale"] == "en"


async def test_every_get_route_answers_head_with_the_same_headers_and_no_content(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        await service.decide(event_id="cart-88213-1")
        paths = [operation.example_path for operation in operations() if operation.method == "GET"]
        for path in [*paths, "/openapi.json", "/docs", "/v1/decisions/nobody"]:
            get, head = await service.client.get(path), await service.client.head(path)
            assert (head.status_code, head.content) == (get.status_code, b""), path
            assert head.headers["content-type"] == get.headers["content-type"], path


async def test_head_of_a_command_is_refused_with_the_methods_that_work(replica: Start) -> None:
    async with replica(small_document()) as service:
        answer = await service.client.head("/v1/decide")
        assert (answer.status_code, answer.headers["Allow"], answer.content) == (405, "POST", b"")


async def test_the_methods_of_a_refusal_work_and_no_others_do(replica: Start) -> None:
    """DELETE of a part of a shopper once erased nobody, and was still said to be allowed."""
    async with replica(small_document(), policy="rule", clock="request") as service:
        await service.decide(event_id="cart-88213-1")
        for path in sorted({operation.example_path for operation in operations()}):
            refused = await service.client.request("PATCH", path)
            assert (refused.status_code, refused.headers["content-type"]) == (405, PROBLEM)
            documented = {operation.method for operation in operations() if operation.example_path == path}
            allowed = set(refused.headers["Allow"].split(", "))
            assert allowed == documented | ({"HEAD"} if "GET" in documented else set()), path


@pytest.mark.parametrize("method", ["FOO", "PROPFIND", "TRACE"])
async def test_an_unknown_method_gets_a_problem(replica: Start, method: str) -> None:
    async with replica(small_document()) as service:
        answer = await service.client.request(method, "/v1/decide")
        assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)


@pytest.mark.parametrize("path", ["/v1/decide/", "/v1/catalog/", "/healthz/", "/v1/feedback/"])
async def test_a_slash_at_the_end_leads_nowhere(replica: Start, path: str) -> None:
    """A redirect would go to whatever host the caller named."""
    async with replica(small_document()) as service:
        for host in ("service", "evil.example", "["):
            answer = await service.client.get(path, headers={"host": host})
            assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
            assert "location" not in answer.headers
