"""What a shopper does ends a trigger: no reminder of a cart reaches somebody who has bought."""

from __future__ import annotations

from typing import Any

import pytest

from decision_service.evaluation.log_decisions import LogDecisions
from decision_service.projection.verification import Verification
from tests.decision_service.conftest import Replica, Start
from tests.factories import small_document

pytestmark = pytest.mark.anyio

BY_PUSH = {"exclude": [{"channel": "email"}]}


def ending_document(**changes: Any) -> dict[str, Any]:
    document = small_document(**changes)
    document["triggers"]["cart_abandoned"]["ends_on"] = ["purchase"]
    return document


async def buy(service: Replica, at: str, now: str = "2026-11-21T17:00:00Z", **changes: Any) -> None:
    event = {"shopper_id": "s-1", "type": "purchase", "at": at} | changes
    answer = await service.post("/v1/events", {"events": [event], "now": now})
    assert answer.json()["results"] == [{"status": "accepted"}]


async def inspect(service: Replica, event_id: str) -> dict[str, Any]:
    content: dict[str, Any] = (await service.client.get(f"/v1/decisions/{event_id}")).json()
    return content


async def differences(service: Replica) -> tuple[str, ...]:
    parts = service.service
    return (await Verification(parts.log, parts.store, parts.shopper_keys).run()).differences


def cart(occurred_at: str | None = "2026-11-21T16:00:00Z", **changes: Any) -> dict[str, Any]:
    return {"triggers": [{"type": "cart_abandoned"} | ({"occurred_at": occurred_at} if occurred_at else {})]} | changes


async def test_a_trigger_that_ended_before_is_expired_and_the_others_compete(replica: Start) -> None:
    async with replica(ending_document(), policy="uniform") as service:
        await buy(service, "2026-11-21T16:00:01Z")
        ended = await service.decide(event_id="ended", **cart())
        assert (ended["hold_reason"], ended["next_possible_at"]) == ("no_eligible_action", None)
        assert {entry["reason"] for entry in ended["excluded"]} == {"expired"}
        triggers = [*cart()["triggers"], {"type": "wishlist"}]
        other = await service.decide(event_id="other", triggers=triggers)
        assert other["eligible"] == 5, "the hints that answer the wishlist, and HOLD"
        later = await service.decide(event_id="later", **cart(occurred_at=None))
        assert later["eligible"] == 9, "it occurs now, after the purchase"


@pytest.mark.parametrize("at", ["2026-11-21T16:00:00Z", "2026-11-20T00:00:00Z"])
async def test_an_event_dated_before_the_trigger_ends_nothing_however_late_it_arrives(replica: Start, at: str) -> None:
    async with replica(ending_document(delays_s=[3_600]), policy="rule") as service:
        assert (await service.decide(event_id="e-1", **cart(), **BY_PUSH))["decision"] == "send"
        await buy(service, at)
        assert (await inspect(service, "e-1"))["status"] == "scheduled"
        assert (await service.decide(event_id="e-2", **cart()))["eligible"] == 5


async def test_a_purchase_stops_the_reminder_that_is_on_its_way_and_no_other_send(replica: Start) -> None:
    document = ending_document(delays_s=[3_600], caps=[{"max": 2, "window_s": 86_400}])
    async with replica(document, policy="rule") as service:
        assert (await service.decide(event_id="e-1", **cart(), **BY_PUSH))["decision"] == "send"
        wish = {"triggers": [{"type": "wishlist"}], **BY_PUSH}
        assert (await service.decide(event_id="e-2", **wish))["decision"] == "send"
        full = await service.decide(event_id="e-3", **wish)
        assert full["hold_reason"] == "no_eligible_action"
        await buy(service, "2026-11-21T16:30:00Z")
        superseded = await inspect(service, "e-1")
        assert (superseded["status"], superseded["voided"]["by"]) == ("superseded", "purchase")
        assert superseded["triggers"][0]["ends_on"] == ["purchase"]
        assert superseded["triggers"][0]["occurred_at"] == "2026-11-21T16:00:00Z"
        assert (await inspect(service, "e-2"))["status"] == "scheduled"
        timeline = (await service.client.get("/v1/shoppers/s-1/timeline")).json()["decisions"]
        statuses = {entry["event_id"]: entry["status"] for entry in timeline}
        assert statuses == {"e-1": "superseded", "e-2": "scheduled", "e-3": "held"}
        report = (await service.client.get("/v1/report")).json()["total"]
        assert (report["delivered"], report["undelivered"]) == (1, {"superseded": 1})
        free = await service.decide(event_id="e-4", **wish)
        assert free["eligible"] == 2, "the place is free"
        assert await differences(service) == ()
        await service.post("/v1/clock", {"now": "2026-11-25T17:00:00Z"})
        assert service.learner.progress.learned == 1 + (free["decision"] == "send")


async def test_an_order_reported_before_its_decision_stops_the_other_reminder_and_counts_once(replica: Start) -> None:
    order = {"event_id": "e-2", "type": "conversion", "feedback_id": "o-1", "value": 60, "at": "2026-11-21T16:30:00Z"}
    async with replica(ending_document(delays_s=[3_600]), policy="rule") as service:
        assert (await service.decide(event_id="e-1", **cart(), **BY_PUSH))["decision"] == "send"
        early = await service.post("/v1/feedback", {"events": [order]})
        assert early.json()["results"] == [{"status": "unknown"}]
        assert (await inspect(service, "e-1"))["status"] == "scheduled", "nobody knows whose order that is"
        wish = {"triggers": [{"type": "wishlist"}], **BY_PUSH}
        assert (await service.decide(event_id="e-2", **wish))["decision"] == "send"
        assert (await inspect(service, "e-1"))["status"] == "superseded"
        assert (await service.decide(event_id="e-3", **cart()))["eligible"] == 1, "the trigger has ended: only HOLD"
        again = await service.post("/v1/feedback", {"events": [order]})
        assert again.json()["results"] == [{"status": "duplicate"}]
        bought = await inspect(service, "e-2")
        assert (bought["status"], [outcome["value"] for outcome in bought["outcomes"]]) == ("scheduled", [60])
        gain = bought["reward"]["gain"]
        assert gain == pytest.approx(0.3 * 60)
        total = (await service.client.get("/v1/report")).json()["total"]
        assert (total["conversions"], total["revenue"], total["undelivered"]["superseded"]) == (1, 60, 1)
        assert await differences(service) == ()
        await service.post("/v1/clock", {"now": "2026-12-25T17:00:00Z"})
        entries = {entry.row.event_id: entry for entry in LogDecisions(service.service.log)}
        assert entries["e-1"].delivered is False
        evaluated = entries["e-2"].decision
        assert evaluated is not None
        assert evaluated.reward == pytest.approx(bought["reward"]["value"])


async def test_what_arrives_after_the_send_time_takes_nothing_back(replica: Start) -> None:
    async with replica(ending_document(delays_s=[0]), policy="rule") as service:
        assert (await service.decide(event_id="e-1", **cart(), **BY_PUSH))["decision"] == "send"
        await buy(service, "2026-11-21T16:30:00Z")
        assert (await inspect(service, "e-1"))["status"] == "sent"
        gate = await service.post("/v1/decisions/e-1/activate", {})
        assert gate.json() == {"deliver": False, "reason": "superseded"}


async def test_an_event_out_of_order_takes_nothing_back_that_was_learned(replica: Start) -> None:
    async with replica(ending_document(delays_s=[3_600]), policy="rule") as service:
        assert (await service.decide(event_id="e-1", **cart(), **BY_PUSH))["decision"] == "send"
        await service.post("/v1/clock", {"now": "2026-11-25T17:00:00Z"})
        assert service.learner.progress.learned == 1
        await buy(service, "2026-11-21T17:30:00Z", now="2026-11-21T17:30:00Z")
        assert ((await inspect(service, "e-1"))["status"], (await inspect(service, "e-1"))["learned"]["status"]) == (
            "sent",
            "learned",
        )
        assert (await service.client.get("/v1/report")).json()["total"]["delivered"] == 1
        assert await differences(service) == ()


@pytest.mark.parametrize("conversion", [False, True])
async def test_a_purchase_that_arrives_while_a_decision_runs_stops_it(
    replica: Start, monkeypatch: pytest.MonkeyPatch, conversion: bool
) -> None:
    async with replica(ending_document(), policy="rule") as service:
        assert (await service.decide(event_id="first", triggers=[{"type": "wishlist"}]))["decision"] == "send"
        log_writer = service.service.log_writer
        append = log_writer.append_all

        async def be_overtaken(*arguments: Any) -> Any:
            monkeypatch.setattr(log_writer, "append_all", append)
            if conversion:
                outcome = {"event_id": "first", "type": "conversion", "value": 9.0, "at": "2026-11-21T16:30:00Z"}
                await service.post("/v1/feedback", outcome)
            else:
                await buy(service, "2026-11-21T16:30:00Z")
            return await append(*arguments)

        monkeypatch.setattr(log_writer, "append_all", be_overtaken)
        answer = await service.decide(event_id="e-1", **cart(), **BY_PUSH)
        assert (answer["hold_reason"], answer["next_possible_at"]) == ("lost_race", None)
        assert await differences(service) == ()


async def test_the_expiry_counts_from_when_the_trigger_occurred(replica: Start) -> None:
    document = ending_document(delays_s=[0])
    document["triggers"]["cart_abandoned"]["expires_s"] = 3_600
    async with replica(document, policy="uniform") as service:
        now = "2026-11-21T17:00:00Z"
        assert (await service.decide(event_id="e-1", now=now, **cart()))["eligible"] == 5
        late = await service.decide(event_id="e-2", now=now, **cart("2026-11-21T15:59:59Z"))
        assert {entry["reason"] for entry in late["excluded"]} == {"expired"}


async def test_a_critical_trigger_ends_too(replica: Start) -> None:
    document = ending_document(delays_s=[3_600])
    document["triggers"]["cart_abandoned"]["critical"] = True
    async with replica(document, policy="rule") as service:
        assert (await service.decide(event_id="e-1", **cart(), **BY_PUSH))["decision"] == "send"
        await buy(service, "2026-11-21T16:30:00Z")
        assert (await inspect(service, "e-1"))["status"] == "superseded"
        assert (await service.decide(event_id="e-2", **cart()))["hold_reason"] == "no_eligible_action"


async def test_a_hold_says_when_the_request_has_a_send_again(replica: Start) -> None:
    document = small_document(delays_s=[0], caps=[{"max": 1, "window_s": 86_400}])
    document["channels"]["email"]["quiet_hours"] = {"from": "00:00", "to": "18:00"}
    document["channels"]["push"]["quiet_hours"] = {"from": "12:00", "to": "19:00"}
    async with replica(document, policy="uniform") as service:
        quiet = await service.decide(event_id="e-1")
        assert (quiet["hold_reason"], quiet["next_possible_at"]) == ("no_eligible_action", "2026-11-21T18:00:00Z")
        number = 0
        while (sent := await service.decide(event_id=f"s-{number}", now=quiet["next_possible_at"]))[
            "decision"
        ] != "send":
            assert "next_possible_at" not in sent, "the policy drew HOLD"
            number += 1
        assert "next_possible_at" not in sent
        full = await service.decide(event_id="e-2", now="2026-11-21T18:30:00Z", dry_run=True)
        assert full["next_possible_at"] == "2026-11-22T18:00:00Z"
        soon = {"triggers": [{"type": "cart_abandoned", "expires_at": "2026-11-22T17:59:59Z"}]}
        assert (await service.decide(event_id="e-3", now="2026-11-21T18:30:00Z", **soon))["next_possible_at"] is None


async def test_a_hold_knows_what_later_days_have_cost_already(replica: Start) -> None:
    document = small_document(delays_s=[0, 86_400])
    del document["channels"]["email"]
    for message in document["messages"].values():
        message["templates"] = {"push": message["templates"]["push"]}
    document["channels"]["push"] |= {"cost": 0.4, "daily_budget": 0.5}
    async with replica(document, policy="uniform") as service:
        for delay in (0, 86_400):
            others = [{"delay_s": 86_400 - delay}]
            number = 0
            while (await service.decide(event_id=f"{delay}-{number}", exclude=others))["decision"] != "send":
                number += 1
        poor = await service.decide(event_id="poor", shopper_id="s-2")
        assert {entry["reason"] for entry in poor["excluded"]} == {"budget"}
        assert poor["next_possible_at"] == "2026-11-22T00:00:00Z", "a send a day later is paid for by the day after"
