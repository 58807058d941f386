"""Inspector, timeline, export and report show what happened, over HTTP."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from decision_service.learning.serving import ServedPolicy, fallback_policy
from policies.shopper.state import ShopperState
from tests.decision_service.conftest import Replica, Start, decide_body
from tests.factories import small_document

pytestmark = pytest.mark.anyio

PUSH_ONLY = [{"channel": "email"}]
NO_DELAY = [{"delay_s": 3600}]
DELAYED = [{"delay_s": 0}]
"""Each pattern excludes the other channel or the other delay of the small catalogue."""


async def get(service: Replica, path: str) -> Any:
    answer = await service.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def status(service: Replica, event_id: str) -> str:
    """Return the status of a decision; fail unless inspector and timeline agree about the send."""
    explained = await get(service, f"/v1/decisions/{event_id}")
    timeline = await get(service, f"/v1/shoppers/{explained['shopper_id']}/timeline")
    (entry,) = [entry for entry in timeline["decisions"] if entry["event_id"] == event_id]
    for name in ("status", "deferred", "activation", "cancelled_at", "voided", "outcomes"):
        assert explained[name] == entry[name], name
    return str(explained["status"])


async def test_every_status_of_a_send_is_read_back(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:

        async def send(event_id: str, *, exclude: list[Any] = PUSH_ONLY + NO_DELAY, **more: Any) -> None:
            assert (await service.decide(event_id=event_id, exclude=exclude, **more))["decision"] == "send"

        await send("sent")
        await send("ahead", exclude=PUSH_ONLY + DELAYED)
        await send("waiting", defer_activation=True)
        await send("refused", defer_activation=True)
        await send("activated", defer_activation=True)
        await send("cancelled")
        await send("bounced")
        await service.decide(event_id="held", exclude=[{"channel": "push"}, {"channel": "email"}])
        await service.post("/v1/decisions/cancelled/cancel", {})
        await service.post("/v1/feedback", {"event_id": "bounced", "type": "bounce"})
        await service.post("/v1/decisions/activated/activate", {})
        assert await status(service, "ahead") == "scheduled"
        await service.client.put("/v1/shoppers/s-1/preferences", json={"consent": {"push": False}})
        refused = await service.post("/v1/decisions/refused/activate", {})
        assert refused.json() == {"deliver": False, "reason": "no_consent"}

        assert await status(service, "sent") == "sent"
        assert await status(service, "ahead") == "voided"
        assert await status(service, "waiting") == "waiting"
        assert await status(service, "refused") == "refused"
        assert await status(service, "activated") == "sent"
        assert await status(service, "cancelled") == "cancelled"
        assert await status(service, "bounced") == "bounced"
        assert await status(service, "held") == "held"

        assert (await get(service, "/v1/decisions/refused"))["activation"]["reason"] == "no_consent"
        assert (await get(service, "/v1/decisions/activated"))["activation"]["deliver"] is True
        assert (await get(service, "/v1/decisions/cancelled"))["cancelled_at"] == "2026-11-21T17:00:00Z"
        assert (await get(service, "/v1/decisions/ahead"))["voided"]["by"] == "preferences"
        assert (await get(service, "/v1/decisions/held"))["hold_reason"] == "no_eligible_action"

        await service.post("/v1/clock", {"now": "2026-11-23T00:00:00Z"})
        assert await status(service, "waiting") == "expired"


async def test_a_send_that_was_never_sent_has_no_reward_and_is_not_learned(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        for event_id in ("left", "cancelled"):
            await service.decide(event_id=event_id, exclude=NO_DELAY)
        await service.decide(event_id="waiting", exclude=NO_DELAY, defer_activation=True)
        await service.post("/v1/decisions/cancelled/cancel", {})
        await service.post("/v1/feedback", {"event_id": "left", "type": "click"})
        waiting = await get(service, "/v1/decisions/waiting")
        assert (waiting["learned"], waiting["reward"]) == ({"status": "awaiting_activation"}, None)
        await service.post("/v1/clock", {"now": "2026-11-25T00:00:00Z"})
        left, cancelled, waiting = [
            await get(service, f"/v1/decisions/{event_id}") for event_id in ("left", "cancelled", "waiting")
        ]
        assert (left["learned"]["status"], left["reward"]["value"] > 0) == ("learned", True)
        assert (cancelled["learned"], cancelled["reward"]) == ({"status": "never", "reason": "cancelled"}, None)
        assert (waiting["learned"], waiting["reward"]) == ({"status": "never", "reason": "expired"}, None)


async def test_a_send_of_the_fallback_has_a_reward_and_is_not_learned(replica: Start) -> None:
    async with replica(small_document()) as service:
        versions = service.service.versions
        versions._serving = ServedPolicy(versions.current().rulebook, fallback_policy())
        answer = await service.decide(exclude=NO_DELAY)
        assert (answer["decision"], answer["policy"]["mode"]) == ("send", "fallback")
        await service.post("/v1/feedback", {"event_id": "e-1", "type": "click"})
        reached = await service.post("/v1/clock", {"now": "2026-11-25T00:00:00Z"})
        explained = await get(service, "/v1/decisions/e-1")
        assert (reached.json()["version"], service.learner.progress.learned) == (0, 0)
        assert explained["learned"] == {"status": "never", "reason": "fallback"}
        assert explained["reward"]["value"] > 0


async def test_the_inspector_names_every_exclusion_and_the_whole_distribution(replica: Start) -> None:
    async with replica(small_document(min_gap_s=3600), policy="rule") as service:
        await service.decide(event_id="first", exclude=NO_DELAY)
        answer = await service.decide(event_id="second", exclude=[{"message": "hint"}])
        explained = await get(service, "/v1/decisions/second")
        assert explained["cost"] in (0.0, 0.001)
        assert explained["category"] == "cart"
        assert len(explained["distribution"]) == answer["eligible"]
        assert sum(entry["probability"] for entry in explained["distribution"]) == pytest.approx(1.0)
        counted = {(entry["channel"], entry["reason"]): entry["count"] for entry in answer["excluded"]}
        listed = [(entry["channel"], entry["reason"]) for entry in explained["excluded"]]
        assert {key: listed.count(key) for key in listed} == counted
        assert {reason for _, reason in listed} == {"excluded_by_caller", "min_gap"}
        assert len(listed) + answer["eligible"] - 1 == 8


async def test_a_timeline_has_every_decision_page_by_page(replica: Start) -> None:
    async with replica(small_document(caps=[{"max": 2, "window_s": 86_400}]), policy="rule") as service:
        for number in range(7):
            await service.decide(event_id=f"e-{number}")
            await service.decide(event_id=f"other-{number}", shopper_id="s-2")
        await service.post("/v1/events", {"shopper_id": "s-1", "type": "session"})
        seen: list[str] = []
        before: int | None = None
        while True:
            page = await get(service, "/v1/shoppers/s-1/timeline?limit=3" + (f"&before={before}" if before else ""))
            seen += [entry["event_id"] for entry in page["decisions"]]
            assert len(page["decisions"]) in (1, 3)
            if (before := page["next_before"]) is None:
                break
        assert seen == [f"e-{number}" for number in reversed(range(7))]
        whole = await get(service, "/v1/shoppers/s-1/timeline")
        assert [entry["hold_reason"] for entry in whole["decisions"]] == ["no_eligible_action"] * 5 + [None] * 2
        assert whole["decisions"][0]["excluded"]["cap_global"] == 8
        assert whole["decisions"][0]["action"] is None
        assert whole["decisions"][-1]["action"].keys() == {"message", "channel", "delay_s"}
        assert await get(service, "/v1/shoppers/nobody/timeline") == {
            "shopper_id": "nobody",
            "decisions": [],
            "next_before": None,
        }


async def test_an_opt_out_about_one_send_voids_a_scheduled_one(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        await service.decide(event_id="ahead", exclude=PUSH_ONLY + DELAYED)
        await service.decide(event_id="answered", exclude=PUSH_ONLY + NO_DELAY)
        await service.post("/v1/feedback", {"event_id": "answered", "type": "opt_out"})
        explained = await get(service, "/v1/decisions/ahead")
        assert (explained["status"], explained["voided"]["by"]) == ("voided", "opt_out")
        assert await status(service, "answered") == "sent"


async def test_an_erased_shopper_has_no_timeline_and_the_decisions_keep_their_status(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        await service.decide(event_id="ahead", exclude=PUSH_ONLY + DELAYED)
        await service.decide(event_id="left", exclude=PUSH_ONLY + NO_DELAY)
        assert (await service.client.delete("/v1/shoppers/s-1")).status_code == 204
        assert (await get(service, "/v1/shoppers/s-1/timeline"))["decisions"] == []
        ahead, left = [await get(service, f"/v1/decisions/{event_id}") for event_id in ("ahead", "left")]
        assert (ahead["status"], ahead["voided"]["by"]) == ("voided", "erasure")
        assert left["status"] == "sent"
        export = await get(service, "/v1/shoppers/s-1")
        assert (export["rows"], export["state"]["erased"]) == ([], True)
        assert not any(export["preferences"]["consent"].values())
        report = await get(service, "/v1/report")
        assert (report["shoppers"], report["opt_in_rate"]["push"]) == (1, 0.0)
        assert report["total"]["undelivered"] == {"voided": 1}


async def test_an_export_holds_every_row_about_the_shopper(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        early = {"event_id": "e-3", "type": "open", "now": "2026-11-21T17:00:00Z"}
        await service.post("/v1/feedback", early)
        for number in range(5):
            await service.decide(event_id=f"e-{number}")
        views = [
            {"shopper_id": "s-1", "type": "product_view", "at": f"2026-11-21T{n // 60:02}:{n % 60:02}:00Z"}
            for n in range(400)
        ]
        await service.post("/v1/events", {"events": views})
        await service.post("/v1/feedback", {"event_id": "e-1", "type": "click"})
        for shopper_id, value in (("s-1", 20), ("s-2", 30)):
            order = {"id": "o-1", "shopper_id": shopper_id, "type": "purchase", "attributes": {"value": value}}
            await service.post("/v1/events", order)
        await service.client.put("/v1/shoppers/s-1/preferences", json={"muted_categories": ["browse"]})
        export = await get(service, "/v1/shoppers/s-1")
        rows = service.service.log.read(0, 1_000)
        rows_of_shopper = [row for row in rows if row.shopper_id == "s-1" or (row.event_id or "").startswith("e-")]
        exported = {row["log_position"]: row["content"] for row in export["rows"]}
        assert len(export["rows"]) == len(rows_of_shopper)
        assert exported == {row.position: msgspec.json.decode(row.body) for row in rows_of_shopper}
        assert export["preferences"]["muted_categories"] == ["browse"]
        assert export["features"]["purchases"] == 1
        assert export["state"].keys() == set(ShopperState.__struct_fields__)
        assert export["state"]["purchases"] == {"count": 1, "value": 20.0, "last_at": "2026-11-21T17:00:00Z"}
        assert export["state"]["sends"][0].keys() >= {"event_id", "send_at", "channel", "clicked", "deferred"}


async def test_an_export_has_the_features_of_the_next_decision(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        await service.decide(event_id="e-1")
        await service.post("/v1/feedback", {"event_id": "e-1", "type": "click"})
        features = (await get(service, "/v1/shoppers/s-1"))["features"]
        await service.decide(event_id="e-2")
        assert features == (await get(service, "/v1/decisions/e-2"))["context"]


async def test_a_shopper_never_seen_can_be_exported(replica: Start) -> None:
    async with replica(small_document()) as service:
        export = await get(service, "/v1/shoppers/nobody")
        assert (export["rows"], export["features"]["segment"]) == ([], "prospect")


async def test_an_id_with_slashes_is_one_shopper(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        await service.decide(shopper_id="shop/7/x")
        assert len((await get(service, "/v1/shoppers/shop/7/x/timeline"))["decisions"]) == 1
        assert (await get(service, "/v1/shoppers/shop/7/x"))["shopper_id"] == "shop/7/x"


BAD_QUERIES = [
    ("/v1/shoppers/s-1/timeline?limit=0", "limit"),
    ("/v1/shoppers/s-1/timeline?limit=501", "limit"),
    ("/v1/shoppers/s-1/timeline?limit=x", "limit"),
    ("/v1/shoppers/s-1/timeline?before=0", "before"),
    ("/v1/shoppers/s-1/timeline?before=1&before=2", "before"),
    ("/v1/shoppers/s-1/timeline?after=1", "after"),
    ("/v1/shoppers/a%00b", "shopper_id"),
    ("/v1/shoppers/" + "x" * 256 + "/timeline", "shopper_id"),
    ("/v1/report?by=weather", "by"),
    ("/v1/report?from=yesterday", "from"),
    ("/v1/report?from=2026-11-21", "from"),
    ("/v1/report?to=2026-11-21T00:00:00", "to"),
    ("/v1/report?to=1763744400", "to"),
    ("/v1/report?from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z", "to"),
    ("/v1/report?group=day", "group"),
    ("/v1/report?by=day&by=hour", "by"),
]


async def test_the_answer_to_a_bad_query_names_the_field(replica: Start) -> None:
    async with replica(small_document()) as service:
        for path, field in BAD_QUERIES:
            answer = await service.client.get(path)
            assert answer.status_code == 422, path
            assert answer.headers["content-type"] == "application/problem+json"
            assert field in [error["field"] for error in answer.json()["errors"]]


async def test_the_answer_to_a_bad_by_lists_the_choices(replica: Start) -> None:
    async with replica(small_document()) as service:
        problem = (await service.client.get("/v1/report?by=weather")).json()
        for choice in ("channel", "message", "category", "trigger", "segment", "arm", "hour", "day"):
            assert choice in problem["errors"][0]["message"]


async def test_reading_needs_the_state_only_for_the_export(replica: Start, redis: Any) -> None:
    async with replica(small_document(), policy="rule") as service:
        await service.post("/v1/decide", decide_body())
        redis.kill()
        export = await service.client.get("/v1/shoppers/s-1")
        assert (export.status_code, export.headers["Retry-After"]) == (503, "1")
        assert "redis" not in export.text.lower()
        assert len((await get(service, "/v1/shoppers/s-1/timeline"))["decisions"]) == 1
        assert (await get(service, "/v1/report"))["total"]["sends"] == 1
