"""Hot routes: what they answer is what the framework's way and pydantic answer."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from decision_service.api.application import build_api
from decision_service.api.entrance import Entrance
from decision_service.api.routes import decisions
from decision_service.schemas import parsing
from tests.decision_service.api.bad_requests import BadRequest, bad_requests
from tests.decision_service.conftest import Replica, Start, decide_body
from tests.factories import small_document

pytestmark = pytest.mark.anyio


async def answer_to(client: httpx2.AsyncClient, request: BadRequest) -> tuple[Any, ...]:
    answer = await client.request(request.method, request.path, content=request.content, headers=dict(request.headers))
    return answer.status_code, dict(answer.headers), answer.content


def framework_client(replica: Replica) -> httpx2.AsyncClient:
    """Return a client of the same service without hot routes."""
    app = Entrance(build_api(replica.service).app, replica.service, {})
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://service")


async def test_a_bad_request_gets_the_words_of_the_framework_s_way(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replica(small_document()) as service, framework_client(service) as other:
        requests = list(bad_requests())
        hot = [await answer_to(service.client, request) for request in requests]
        rows = service.rows()
        monkeypatch.setattr(parsing, "parse_fast", lambda *_: None)
        monkeypatch.setattr(decisions, "parse_fast", lambda *_: None)
        for request, answer in zip(requests, hot, strict=True):
            expected = await answer_to(other, request)
            if "idempotent-replay" in expected[1]:  # nothing was wrong with it
                expected[1].pop("idempotent-replay")
                answer[1].pop("idempotent-replay", None)
            assert answer == expected, request
        assert service.rows() == rows
        assert {answer[0] for answer in hot} >= {200, 202, 400, 404, 405, 413, 415, 422}


async def test_a_hot_route_answers_under_another_path_too(replica: Start) -> None:
    """There the framework answers: it knows where the application is mounted."""
    async with replica(small_document()) as service:
        transport = httpx2.ASGITransport(build_api(service.service), root_path="/shop")
        async with httpx2.AsyncClient(transport=transport, base_url="http://service") as mounted:
            answer = await mounted.post("/shop/v1/decide", json=decide_body())
            assert answer.status_code == 200
            again = await service.post("/v1/decide", decide_body())
            assert (again.content, again.headers["Idempotent-Replay"]) == (answer.content, "true")
