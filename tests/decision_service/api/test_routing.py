"""What every route shares: limits of bodies, and what the caller sees of an error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from decision_service import metrics
from decision_service.api.application import build_api
from decision_service.api.bodies import LIST_LIMIT, SINGLE_LIMIT
from decision_service.log.base import LogUnavailable
from tests.decision_service.conftest import Replica, Start, decide_body
from tests.factories import small_document

pytestmark = pytest.mark.anyio


def pad(body: Any, size: int) -> bytes:
    raw = json.dumps(body).encode()
    return raw + b" " * (size - len(raw))


@pytest.mark.parametrize(
    ("path", "body", "limit"),
    [
        ("/v1/decide", decide_body(), SINGLE_LIMIT),
        ("/v1/decide/batch", {"decisions": [decide_body()]}, LIST_LIMIT),
        ("/v1/feedback", {"events": [{"event_id": "e", "type": "click"}]}, LIST_LIMIT),
    ],
)
async def test_a_body_may_have_as_many_bytes_as_the_limit(replica: Start, path: str, body: Any, limit: int) -> None:
    async with replica(small_document()) as service:
        fits = await service.client.post(path, content=pad(body, limit))
        assert fits.is_success, fits.text
        refused = await service.client.post(path, content=pad(body, limit + 1))
        assert refused.status_code == 413
        assert refused.json()["detail"] == f"the body has {limit + 1} bytes; at most {limit} are read"


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (LogUnavailable("secret.sqlite is locked"), 503, "the log or the registry cannot be read"),
        (RuntimeError("secret"), 500, "an error of the service itself; its log says more"),
    ],
)
async def test_what_is_behind_an_error_stays_in_the_service_s_own_log(
    replica: Start,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    detail: str,
) -> None:
    async with replica(small_document()) as service:

        async def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(service.service.timeline, "of", fail)
        answer = await service.client.get("/v1/shoppers/s-1/timeline")
    assert (answer.status_code, answer.json()["detail"]) == (status, detail)
    assert "secret" not in answer.text
    assert "secret" in caplog.text


async def test_the_path_is_judged_before_the_rest(replica: Start) -> None:
    async with replica(small_document()) as service:
        for method, path, content in [
            ("GET", "/v1/shoppers/a%00b/timeline?limit=0", None),
            ("PUT", "/v1/shoppers/a%00b/preferences", b"{"),
        ]:
            answer = await service.client.request(method, path, content=content)
            assert [error["field"] for error in answer.json()["errors"]] == ["shopper_id"]


async def test_a_query_that_repeats_a_name_is_refused(replica: Start) -> None:
    async with replica(small_document()) as service:
        answer = await service.client.get("/v1/report?by=day&by=hour")
        assert answer.json()["detail"] == "by: is given more than once"


async def test_every_request_is_measured_under_the_name_of_its_route(replica: Start) -> None:
    async with replica(small_document()) as service:
        count = 'decision_service_request_seconds_count{endpoint="put_preferences"}'

        async def count_requests() -> float:
            lines = (await service.client.get("/metrics")).text.splitlines()
            return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(count))

        before = await count_requests()
        await service.client.put("/v1/shoppers/s-1/preferences", json={"consent": {"fax": True}})
        assert await count_requests() == before + 1


async def send_partly(replica: Replica, body: list[dict[str, Any]]) -> list[MutableMapping[str, Any]]:
    """Send a decide request by the ASGI protocol, message by message, and return the messages of the answer."""
    answers: list[MutableMapping[str, Any]] = []
    messages = iter(body)

    async def receive() -> MutableMapping[str, Any]:
        if (message := next(messages, None)) is None:
            await asyncio.Event().wait()
            raise AssertionError
        return message

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/decide", "query_string": b"", "headers": headers}
    await build_api(replica.service)(scope, receive, send)
    return answers


HALF: dict[str, Any] = {"type": "http.request", "body": b'{"event_id": ', "more_body": True}


def count_problems() -> dict[str, float]:
    samples = [sample for family in metrics.PROBLEMS.collect() for sample in family.samples]
    return {sample.labels["status"]: sample.value for sample in samples if sample.name.endswith("_total")}


async def test_a_caller_who_leaves_in_mid_body_is_no_problem(replica: Start, caplog: pytest.LogCaptureFixture) -> None:
    async with replica(small_document()) as service:
        before, rows = count_problems(), service.rows()
        await send_partly(service, [HALF, {"type": "http.disconnect"}])
        assert count_problems() == before
        assert caplog.records == []
        assert service.rows() == rows


async def test_a_body_that_does_not_come_completely_is_a_408(replica: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("decision_service.api.bodies._BODY_WITHIN_S", 0.05)
    async with replica(small_document()) as service:
        start, content = await send_partly(service, [HALF])
        assert (start["status"], json.loads(content["body"])["title"]) == (408, "Request Timeout")
