"""Shopper events: what is a repeat, and what a refund takes off."""

from __future__ import annotations

from typing import Any

import pytest

from tests.decision_service.conftest import Replica, Start
from tests.factories import small_document

pytestmark = pytest.mark.anyio

AT = "2026-11-21T10:00:00Z"


async def statuses(service: Replica, *events: dict[str, Any]) -> list[str]:
    answer = await service.post("/v1/events", {"events": list(events), "now": "2026-11-21T17:00:00Z"})
    assert answer.status_code == 202, answer.text
    return [result["status"] for result in answer.json()["results"]]


def event(kind: str = "purchase", **fields: Any) -> dict[str, Any]:
    return {"shopper_id": "s-1", "type": kind, **fields}


@pytest.mark.parametrize("kind", ["purchase", "refund"])
async def test_a_sum_of_money_needs_an_id_or_a_time(replica: Start, kind: str) -> None:
    async with replica(small_document()) as service:
        alone = await service.post("/v1/events", event(kind, attributes={"value": 60}))
        assert (alone.status_code, alone.json()["errors"][0]["field"]) == (422, "id")
        assert await statuses(service, event(kind), event("page_view"), event("page_view")) == [
            *("invalid", "accepted", "accepted")
        ]


async def test_an_id_makes_a_retry_a_duplicate_per_shopper_and_type(replica: Start) -> None:
    order = event(id="o-1", attributes={"value": 60, "category": "shoes", "note": None})
    same = event(id="o-1", at=AT, attributes={"category": "shoes", "value": 60.0})
    others = [order | {"shopper_id": "s-2"}, order | {"type": "refund"}, order | {"id": "o-2"}]
    async with replica(small_document()) as service:
        assert await statuses(service, order, order, same, *others) == [
            *("accepted", "duplicate", "duplicate", "accepted", "accepted", "accepted")
        ]
        changed = await service.post("/v1/events", order | {"attributes": {"value": 61}})
        assert (changed.status_code, changed.json()["errors"][0]["field"]) == (422, "attributes")
        state = (await service.client.get("/v1/shoppers/s-1")).json()["state"]
        assert state["purchases"]["count"] == 2


async def test_without_an_id_numbers_are_compared_as_numbers(replica: Start) -> None:
    order = event(at=AT, attributes={"value": 60})
    others = [order | {"attributes": {"value": True}, "type": "wishlist"}, order | {"at": "2026-11-21T10:00:01Z"}]
    async with replica(small_document()) as service:
        assert await statuses(service, order, order | {"attributes": {"value": 60.0}}, *others) == [
            *("accepted", "duplicate", "accepted", "accepted")
        ]


async def test_a_refund_takes_money_off_but_no_order(replica: Start) -> None:
    async with replica(small_document()) as service:
        await statuses(service, event(id="o-1", at=AT, attributes={"value": 60}))
        before = (await service.client.get("/v1/shoppers/s-1")).json()["state"]
        assert await statuses(service, event("refund", id="r-1", attributes={"value": 25.5})) == ["accepted"]
        state = (await service.client.get("/v1/shoppers/s-1")).json()["state"]
        assert state["purchases"] == {"count": 1, "value": 34.5, "last_at": AT}
        assert {name: state[name] for name in ("activity", "active_at")} == {
            name: before[name] for name in ("activity", "active_at")
        }
        await statuses(service, event("refund", id="r-2", attributes={"value": 1_000}))
        assert (await service.client.get("/v1/shoppers/s-1")).json()["state"]["purchases"]["value"] == 0


@pytest.mark.parametrize("value", [-1, "60", True])
async def test_a_value_that_is_no_sum_of_money_is_refused(replica: Start, value: Any) -> None:
    async with replica(small_document()) as service:
        for kind in ("purchase", "refund"):
            answer = await service.post("/v1/events", event(kind, id="o-1", attributes={"value": value}))
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "attributes.value")


async def test_the_id_of_an_erased_shopper_is_forgotten(replica: Start) -> None:
    async with replica(small_document()) as service:
        await statuses(service, event(id="o-of-Ada", attributes={"value": 60}))
        assert (await service.client.delete("/v1/shoppers/s-1")).status_code == 204
        assert not [row for row in service.service.log.read(0, 100) if b"Ada" in row.body]
        assert await statuses(service, event(id="o-of-Ada", attributes={"value": 60})) == ["accepted"]
