"""Media types: a body that is compressed or no JSON gets 415, and not a riddle about JSON."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.decision_service.conftest import Start, decide_body
from tests.factories import small_document

pytestmark = pytest.mark.anyio

BODY = json.dumps(decide_body()).encode()


@pytest.mark.parametrize(
    "headers",
    [
        {"content-encoding": "gzip"},
        {"content-encoding": "br"},
        {"content-encoding": "identity, gzip"},
        {"content-type": "application/xml"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/msgpack"},
        {"content-type": "application/json; charset=iso-8859-1"},
        {"content-type": "application/json; charset=utf-16"},
    ],
)
async def test_what_cannot_be_json_in_utf_8_is_refused(replica: Start, headers: dict[str, str]) -> None:
    content = gzip.compress(BODY) if headers.get("content-encoding") == "gzip" else BODY
    async with replica(small_document()) as service:
        rows = service.rows()
        for method, path in (
            ("POST", "/v1/decide"),
            ("POST", "/v1/decide/batch"),
            ("POST", "/v1/feedback"),
            ("POST", "/v1/events"),
            ("PUT", "/v1/shoppers/s-1/preferences"),
            ("PUT", "/v1/catalog"),
            ("POST", "/v1/clock"),
            ("POST", "/v1/decisions/e-1/cancel"),
        ):
            answer = await service.client.request(method, path, content=content, headers=headers)
            assert (answer.status_code, answer.json()["status"]) == (415, 415), (path, answer.text)
        assert service.rows() == rows


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": ""},
        {"content-encoding": "identity"},
        {"content-type": "application/json; charset=UTF-8"},
        {"content-type": 'application/json; charset="utf-8"'},
        {"content-type": "application/vnd.shop+json"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "text/plain"},
    ],
)
async def test_what_clients_send_json_under_is_read(replica: Start, headers: dict[str, str]) -> None:
    async with replica(small_document()) as service:
        answer = await service.client.post("/v1/decide", content=BODY, headers=headers)
        assert answer.status_code == 200, answer.text


async def test_a_call_without_a_body_needs_no_media_type(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        await service.decide()
        answer = await service.client.post("/v1/decisions/e-1/activate", headers={"content-type": "text/html"})
        assert answer.status_code == 200
