"""Lists of items: each is taken by itself."""

from __future__ import annotations

import pytest

from tests.decision_service.conftest import Start
from tests.factories import small_document

pytestmark = pytest.mark.anyio

VIEW = {"shopper_id": "s-1", "type": "product_view"}


async def test_a_bad_item_fails_alone_and_is_not_counted(replica: Start) -> None:
    async with replica(small_document()) as service:
        answer = await service.post("/v1/events", {"events": [VIEW, {**VIEW, "type": "wink"}, VIEW]})
        assert answer.status_code == 202
        body = answer.json()
        assert body["accepted"] == 2
        assert [item["status"] for item in body["results"]] == ["accepted", "invalid", "accepted"]
        assert body["results"][1]["field"] == "type"


async def test_one_item_by_itself_may_hold_the_time_of_the_call(replica: Start) -> None:
    async with replica(small_document()) as service:
        answer = await service.post("/v1/events", {**VIEW, "now": "2026-11-21T17:00:00Z"})
        assert answer.json() == {"accepted": 1, "results": [{"status": "accepted"}]}
        assert service.service.log.head().watermark == 1_795_280_400.0


async def test_an_object_without_the_fields_of_an_item_is_a_bad_list(replica: Start) -> None:
    async with replica(small_document()) as service:
        answer = await service.post("/v1/events", {"shopper_id": "s-1"})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["events", "shopper_id"]
