"""The activation gate and cancelling, over HTTP on the real parts."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from decision_service.log.base import NewRow
from decision_service.log.keys import activation_key
from decision_service.projection.verification import Verification
from decision_service.state.pending import RESERVED_FOR_S
from policies.records.rows import ActivationRow, ClockRow, decode
from policies.rules.budget import utc_day
from tests.decision_service.conftest import Replica, Start, decide_body
from tests.factories import NOW, small_document

pytestmark = pytest.mark.anyio

ONE = {"caps": [{"max": 1, "window_s": 86_400}]}


def ending_document(**changes: Any) -> dict[str, Any]:
    """A catalogue in which a purchase ends an abandoned cart."""
    document = small_document(**changes)
    document["triggers"]["cart_abandoned"]["ends_on"] = ["purchase"]
    return document


async def verify(service: Replica) -> tuple[str, ...]:
    """Compare the stored states with the fold of the log, and return the differences."""
    parts = service.service
    return (await Verification(parts.log, parts.store, parts.shopper_keys).run()).differences


async def activate(service: Replica, event_id: str = "e-1", **body: Any) -> dict[str, Any]:
    answer = await service.post(f"/v1/decisions/{event_id}/activate", body)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def cancel(service: Replica, event_id: str = "e-1", **body: Any) -> int:
    return (await service.post(f"/v1/decisions/{event_id}/cancel", body)).status_code


async def sends(service: Replica, event_id: str, **body: Any) -> bool:
    return bool((await service.decide(event_id=event_id, **body))["decision"] == "send")


async def status_of(service: Replica, event_id: str = "e-1") -> dict[str, Any]:
    learned: dict[str, Any] = (await service.client.get(f"/v1/decisions/{event_id}")).json()["learned"]
    return learned


async def test_a_send_that_nothing_stands_against_may_leave(replica: Start) -> None:
    async with replica(small_document(**ONE)) as service:
        assert await sends(service, "e-1", defer_activation=True)
        assert await activate(service) == {"deliver": True}
        assert await activate(service) == {"deliver": True}


async def test_a_yes_stands_for_an_hour_and_says_that_it_is_a_repeat(replica: Start) -> None:
    async with replica(small_document(delays_s=[3_600]), policy="rule") as service:
        assert await sends(service, "e-1")
        first = await service.post("/v1/decisions/e-1/activate", {"now": "2026-11-21T17:10:00Z"})
        again = await service.post("/v1/decisions/e-1/activate", {"now": "2026-11-21T18:10:00Z"})
        assert first.json() == again.json() == {"deliver": True}
        assert ("idempotent-replay" in first.headers, again.headers["idempotent-replay"]) == (False, "true")
        head = service.service.log.head()
        late = await service.post("/v1/decisions/e-1/activate", {"now": "2026-11-21T18:10:01Z"})
        assert late.json() == {"deliver": False, "reason": "expired"}
        assert service.service.log.head() == head
        shown = (await service.client.get("/v1/decisions/e-1")).json()
        assert (shown["status"], shown["left_at"]) == ("sent", "2026-11-21T17:10:00Z")
        assert shown["activation"]["left_at"] == "2026-11-21T17:10:00Z"
        assert shown["send_at"] == "2026-11-21T18:00:00Z"


async def buy(service: Replica) -> None:
    await service.post("/v1/events", {"shopper_id": "s-1", "type": "purchase", "at": "2026-11-21T17:00:01Z"})


async def convert(service: Replica) -> None:
    conversion = {"event_id": "e-1", "type": "conversion", "value": 20.0, "at": "2026-11-21T17:00:01Z"}
    await service.post("/v1/feedback", conversion)


async def lose_the_address(service: Replica) -> None:
    await service.client.put("/v1/shoppers/s-1/preferences", json={"reachable": {"push": False}})


async def mute(service: Replica) -> None:
    await service.client.put("/v1/shoppers/s-1/preferences", json={"muted_categories": ["cart", "browse"]})


async def prefer_nothing(service: Replica) -> None:
    await service.client.put("/v1/shoppers/s-1/preferences", json={"consent": {"push": False, "email": False}})


async def opt_out_of_another(service: Replica) -> None:
    assert await sends(service, "other", exclude=[{"channel": "email"}])
    await service.post("/v1/feedback", {"event_id": "other", "type": "opt_out"})


async def report_a_bounce(service: Replica) -> None:
    await service.post("/v1/feedback", {"event_id": "e-1", "type": "bounce"})


async def erase(service: Replica) -> None:
    assert (await service.client.delete("/v1/shoppers/s-1")).status_code == 204


@pytest.mark.parametrize(
    ("take_back", "reason"),
    [
        (prefer_nothing, "no_consent"),
        (opt_out_of_another, "no_consent"),
        (report_a_bounce, "bounced"),
        (cancel, "cancelled"),
        (erase, "erased"),
        (buy, "superseded"),
        (convert, "superseded"),
        (lose_the_address, "unreachable"),
        (mute, "preference"),
    ],
)
async def test_a_send_that_was_taken_back_after_a_yes_may_not_leave(
    replica: Start, take_back: Any, reason: str
) -> None:
    async with replica(ending_document(delays_s=[3_600]), policy="rule") as service:
        assert await sends(service, "e-1", exclude=[{"channel": "email"}])
        assert await activate(service) == {"deliver": True}
        await take_back(service)
        head = service.service.log.head()
        assert await activate(service) == {"deliver": False, "reason": reason}
        assert service.service.log.head() == head, "the second answer writes nothing"
        assert await verify(service) == ()
        shown = (await service.client.get("/v1/decisions/e-1")).json()
        assert shown["status"] == {"bounced": "bounced", "cancelled": "cancelled"}.get(reason, "sent")
        await service.post("/v1/clock", {"now": "2026-11-25T17:00:00Z"})
        learned = {"bounced", "cancelled"}.isdisjoint({reason})
        assert (await status_of(service))["status"] == ("learned" if learned else "never")


@pytest.mark.parametrize(
    ("take_back", "reason", "status"),
    [
        (prefer_nothing, "no_consent", "voided"),
        (opt_out_of_another, "no_consent", "voided"),
        (report_a_bounce, "bounced", "bounced"),
        (cancel, "cancelled", "cancelled"),
        (erase, "erased", "voided"),
        (buy, "superseded", "superseded"),
        (convert, "superseded", "superseded"),
        (lose_the_address, "unreachable", "refused"),
        (mute, "preference", "refused"),
    ],
)
@pytest.mark.parametrize("deferred", [False, True])
async def test_the_first_answer_says_what_has_taken_the_send_back(
    replica: Start, take_back: Any, reason: str, status: str, deferred: bool
) -> None:
    async with replica(ending_document(delays_s=[3_600]), policy="rule") as service:
        assert await sends(service, "e-1", exclude=[{"channel": "email"}], defer_activation=deferred)
        await take_back(service)
        assert await activate(service) == {"deliver": False, "reason": reason}
        shown = (await service.client.get("/v1/decisions/e-1")).json()
        assert (shown["status"], shown["left_at"]) == (status, None)
        assert (shown["learned"]["status"], shown["reward"]) == ("never", None)
        assert await verify(service) == ()
        report = (await service.client.get("/v1/report")).json()["total"]
        assert report["undelivered"].get(status) == 1
        await service.post("/v1/clock", {"now": "2026-11-25T17:00:00Z"})
        assert (await status_of(service))["status"] == "never"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"consent": {"push": False, "email": False}}, "no_consent"),
        ({"reachable": {"push": False, "email": False}}, "unreachable"),
        ({"muted_categories": ["cart", "browse"]}, "preference"),
        ({"max_per_week": 0}, "preference"),
        ({"quiet_hours": {"from": "16:00", "to": "20:00"}}, "preference"),
    ],
)
async def test_what_the_shopper_wants_meanwhile_counts(replica: Start, change: dict[str, Any], reason: str) -> None:
    document = small_document(delays_s=[0], **ONE)
    async with replica(document, policy="uniform") as service:
        number = 0
        while not await sends(service, f"e-{number}", defer_activation=True):
            number += 1
        now = "2026-11-21T17:00:00Z"
        await service.client.put("/v1/shoppers/s-1/preferences", json={**change, "now": now})
        assert await activate(service, f"e-{number}", now=now) == {"deliver": False, "reason": reason}
        state = await service.service.store.read(service.service.shopper_keys.key("s-1"))
        assert state.state.sends == ()
        assert await activate(service, f"e-{number}", now=now) == {"deliver": False, "reason": reason}


async def test_a_catalogue_that_changed_meanwhile_counts(replica: Start) -> None:
    document = small_document(delays_s=[0])
    async with replica(document, policy="rule") as service:
        assert await sends(service, "e-1")
        for channel in document["channels"].values():
            channel["quiet_hours"] = {"from": "16:00", "to": "18:00"}
        assert (await service.client.put("/v1/catalog", json=document)).status_code == 200
        assert await activate(service) == {"deliver": False, "reason": "quiet_hours"}


async def test_a_refused_send_is_not_learned_and_its_place_is_free(replica: Start) -> None:
    async with replica(small_document(delays_s=[0], **ONE), policy="rule") as service:
        assert await sends(service, "e-1")
        assert not await sends(service, "e-2")
        quiet = {"quiet_hours": {"from": "16:00", "to": "18:00"}}
        await service.client.put("/v1/shoppers/s-1/preferences", json=quiet)
        assert (await activate(service, now="2026-11-21T17:00:00Z"))["deliver"] is False
        assert await sends(service, "e-3", now="2026-11-21T18:00:00Z")
        await service.post("/v1/clock", {"now": "2026-11-25T17:00:00Z"})
        assert service.learner.progress.learned == 1


async def test_a_deferred_send_takes_its_place_but_teaches_only_once_activated(replica: Start) -> None:
    async with replica(small_document(delays_s=[0], **ONE), policy="rule") as service:
        for number in (1, 2):
            assert await sends(service, f"e-{number}", shopper_id=f"s-{number}", defer_activation=True)
        assert not await sends(service, "e-3", shopper_id="s-1")
        assert (await activate(service, "e-1", now="2026-11-21T17:30:00Z"))["deliver"] is True
        await service.post("/v1/feedback", {"event_id": "e-2", "type": "click", "now": "2026-11-21T17:30:00Z"})
        await service.post("/v1/clock", {"now": "2026-11-25T17:00:00Z"})
        assert service.learner.progress.learned == 1


async def test_a_deferred_send_that_nobody_activates_expires_and_frees_its_place(replica: Start) -> None:
    async with replica(small_document(delays_s=[0], **ONE), policy="rule") as service:
        assert await sends(service, "e-1", defer_activation=True)
        assert not await sends(service, "e-2", now="2026-11-21T18:00:00Z")
        assert await sends(service, "e-3", now="2026-11-21T18:00:01Z")
        late = await activate(service, now="2026-11-21T18:00:01Z")
        assert late == {"deliver": False, "reason": "expired"}


async def test_asked_too_late_also_one_that_was_not_deferred_may_not_leave(replica: Start) -> None:
    async with replica(small_document(delays_s=[0]), policy="rule") as service:
        assert await sends(service, "e-1")
        late = await activate(service, now="2026-11-21T18:00:01Z")
        assert late == {"deliver": False, "reason": "expired"}
        shown = (await service.client.get("/v1/decisions/e-1")).json()
        assert (shown["status"], shown["learned"]) == ("expired", {"status": "never", "reason": "expired"})


OUT_OF_ORDER = "2026-11-21T17:30:00Z"


async def refuse_late(service: Replica) -> None:
    await service.client.put("/v1/shoppers/s-1/preferences", json={"consent": {"push": False}, "now": OUT_OF_ORDER})
    assert (await activate(service, now=OUT_OF_ORDER))["deliver"] is False


async def bounce_late(service: Replica) -> None:
    bounce = {"event_id": "e-1", "type": "bounce", "now": OUT_OF_ORDER}
    assert (await service.post("/v1/feedback", bounce)).json()["results"] == [{"status": "late"}]


async def withdraw_late(service: Replica) -> None:
    early = {"consent": {"push": False}, "now": "2026-11-21T16:00:00Z"}
    assert (await service.client.put("/v1/shoppers/s-1/preferences", json=early)).json()["consent"]["push"] is False


@pytest.mark.parametrize("too_late", [refuse_late, bounce_late, withdraw_late])
async def test_what_was_learned_from_was_sent_whatever_is_said_afterwards(replica: Start, too_late: Any) -> None:
    """Also when the rows come out of order: fold, inspector, report and learner tell the same."""
    document = small_document(delays_s=[0])
    document["channels"]["push"] |= {"cost": 0.4}
    async with replica(document, policy="rule") as service:
        assert await sends(service, "e-1", exclude=[{"channel": "email"}])
        await service.post("/v1/clock", {"now": "2026-11-21T21:00:00Z"})
        assert service.learner.progress.learned == 1
        await too_late(service)
        shown = (await service.client.get("/v1/decisions/e-1")).json()
        assert (shown["status"], shown["learned"]["status"], shown["reward"]["value"]) == ("sent", "learned", -0.4)
        parts = service.service
        assert [send.event_id for send in (await parts.store.read(parts.shopper_keys.key("s-1"))).state.sends] == [
            "e-1"
        ]
        assert list((await parts.store.spending()).values()) == [400_000]
        report = (await service.client.get("/v1/report")).json()
        assert (report["total"]["delivered"], report["total"]["undelivered"]) == (1, {})
        verified = await Verification(parts.log, parts.store, parts.shopper_keys).run()
        assert verified.differences == ()


async def test_a_window_that_closes_while_a_bounce_is_logged_makes_it_late(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replica(small_document(delays_s=[0]), policy="rule") as service:
        assert await sends(service, "e-1", exclude=[{"channel": "email"}])
        feedback = service.service.feedback
        look = feedback._watermark

        async def look_and_be_overtaken(rows: Any) -> float:
            seen = await look(rows)
            await service.service.log_writer.append(NewRow(ClockRow(NOW + 14_400)))
            return seen

        monkeypatch.setattr(feedback, "_watermark", look_and_be_overtaken)
        await bounce_late(service)
        shown = (await service.client.get("/v1/decisions/e-1")).json()
        assert (shown["status"], shown["outcomes"][0]["late"]) == ("sent", True)


async def test_what_is_activated_late_is_sent_then_for_every_rule_and_the_budget(replica: Start) -> None:
    document = small_document(delays_s=[0], min_gap_s=3_600)
    document["channels"]["push"] |= {"cost": 0.4, "daily_budget": 0.5}
    by_push = {"exclude": [{"channel": "email"}]}
    async with replica(document, policy="rule") as service:
        assert await sends(service, "e-1", now="2026-11-21T23:30:00Z", **by_push)
        assert await activate(service, now="2026-11-22T00:10:00Z") == {"deliver": True}
        assert (await service.client.get("/v1/decisions/e-1")).json()["status"] == "sent"
        near = await service.decide(event_id="e-2", now="2026-11-22T00:30:00Z", **by_push)
        assert {entry["reason"] for entry in near["excluded"] if entry["channel"] == "push"} == {"min_gap"}
        poor = await service.decide(event_id="e-3", shopper_id="s-3", now="2026-11-21T23:50:00Z", **by_push)
        assert {entry["reason"] for entry in poor["excluded"] if entry["channel"] == "push"} == {"budget"}
        assert await sends(service, "e-4", shopper_id="s-4", now="2026-11-22T00:30:00Z", **by_push)
        assert await verify(service) == ()


async def test_what_leaves_early_is_sent_then_for_every_rule(replica: Start) -> None:
    document = small_document(delays_s=[0, 86_400], caps=[{"max": 1, "calendar": "day"}])
    document["channels"]["push"] |= {"cost": 0.4, "daily_budget": 0.5}
    tomorrow = {"exclude": [{"channel": "email"}, {"delay_s": 0}]}
    today = {"exclude": [{"channel": "email"}, {"delay_s": 86_400}]}
    async with replica(document, policy="rule") as service:
        assert await sends(service, "e-1", **tomorrow)
        assert await activate(service, now="2026-11-21T17:30:00Z") == {"deliver": True}
        full = await service.decide(event_id="e-2", now="2026-11-21T18:00:00Z", **today)
        assert {entry["reason"] for entry in full["excluded"] if entry["channel"] == "push"} >= {"cap_global"}
        assert list(await service.service.store.spending()) == [("push", utc_day(NOW + 86_400))]
        shown = (await service.client.get("/v1/decisions/e-1")).json()
        assert shown["attribution_ends_at"] == "2026-11-22T21:00:00Z", "the window stays"
        click = {"event_id": "e-1", "type": "click", "at": "2026-11-21T18:00:00Z", "now": "2026-11-21T18:00:00Z"}
        assert (await service.post("/v1/feedback", click)).json()["results"] == [{"status": "accepted"}]
        assert await verify(service) == ()
        await service.post("/v1/clock", {"now": "2026-11-25T17:00:00Z"})
        assert service.learner.progress.learned == 1


async def test_asked_too_early_nothing_is_logged_and_the_place_stays(replica: Start) -> None:
    document = small_document(delays_s=[14_400], caps=[{"max": 1, "window_s": 86_400}])
    document["channels"]["push"] |= {"quiet_hours": {"from": "17:00", "to": "20:00"}}
    async with replica(document, policy="rule") as service:
        assert await sends(service, "e-1", exclude=[{"channel": "email"}])
        head = service.service.log.head()
        early = {"deliver": False, "reason": "too_early", "send_at": "2026-11-21T21:00:00Z"}
        assert await activate(service, now="2026-11-21T17:30:00Z") == early
        assert await activate(service, now="2026-11-21T19:59:59Z") == early
        assert service.service.log.head() == head
        assert not await sends(service, "e-2", now="2026-11-21T17:30:00Z")
        assert await activate(service, now="2026-11-21T20:00:00Z") == {"deliver": True}


async def test_asked_early_what_does_not_end_by_itself_frees_the_place(replica: Start) -> None:
    async with replica(small_document(delays_s=[14_400], **ONE), policy="rule") as service:
        assert await sends(service, "e-1")
        await mute(service)
        no = {"deliver": False, "reason": "preference"}
        assert await activate(service, now="2026-11-21T17:30:00Z") == no
        await service.client.put("/v1/shoppers/s-1/preferences", json={"muted_categories": []})
        assert await activate(service, now="2026-11-21T21:00:00Z") == no
        assert await sends(service, "e-2", now="2026-11-21T17:30:00Z")


async def test_a_late_activation_and_a_decision_that_cross_see_each_other(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = small_document(delays_s=[0], min_gap_s=3_600)
    async with replica(document, policy="rule") as service:
        assert await sends(service, "e-1")
        activations, late = service.service.activations, "2026-11-21T17:50:00Z"
        read, other = activations._read_state, "2026-11-21T18:00:00Z"

        async def read_and_be_overtaken(history: Any) -> Any:
            stored = await read(history)
            monkeypatch.setattr(activations, "_read_state", read)
            assert await sends(service, "e-2", now=other)
            return stored

        monkeypatch.setattr(activations, "_read_state", read_and_be_overtaken)
        assert await activate(service, now=late) == {"deliver": False, "reason": "min_gap"}


async def test_a_decision_that_a_late_activation_overtakes_is_judged_again(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = small_document(delays_s=[0], min_gap_s=3_600)
    async with replica(document, policy="rule") as service:
        assert await sends(service, "e-1")
        store, log_writer = service.service.store, service.service.log_writer
        reserve, append = store.reserve_many, log_writer.append

        async def reserve_and_be_overtaken(reservations: Any) -> Any:
            taken = await reserve(reservations)
            monkeypatch.setattr(store, "reserve_many", reserve)
            row = ActivationRow(NOW + 3_000, "e-1", "s-1", deliver=True)
            await append(NewRow(row, activation_key("e-1")))
            return taken

        monkeypatch.setattr(store, "reserve_many", reserve_and_be_overtaken)
        answer = await service.decide(event_id="e-2", now="2026-11-21T18:00:00Z")
        assert answer["hold_reason"] == "lost_race"


async def test_a_decision_that_waits_too_long_to_be_written_gives_its_place_up(
    replica: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim may have been dropped, and the place given to another."""
    async with replica(small_document(delays_s=[0], **ONE), policy="rule") as service:
        log, store = service.service.log, service.service.store
        key = service.service.shopper_keys.key("s-1")
        holder = sqlite3.connect(tmp_path / "decisions.sqlite", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        one = asyncio.create_task(service.post("/v1/decide", decide_body(event_id="e-1")))
        while not (await store.read(key)).state.sends:
            await asyncio.sleep(0.01)
        monkeypatch.setattr(log, "_clock", lambda: time.time() + 2 * RESERVED_FOR_S)
        await store.drop_pending(0)
        two = asyncio.create_task(service.post("/v1/decide", decide_body(event_id="e-2")))
        while not (await store.read(key)).state.sends:
            await asyncio.sleep(0.01)
        holder.execute("ROLLBACK")
        holder.close()
        late, in_time = await asyncio.gather(one, two)
        assert (late.status_code, late.headers["Retry-After"]) == (503, "1")
        assert (in_time.status_code, in_time.json()["decision"]) == (200, "send")
        assert [row.kind for row in log.find_by_event(["e-1"])] == []
        assert not await sends(service, "e-1"), "the place is taken"


async def test_the_learner_writes_expiries_down(replica: Start) -> None:
    async with replica(small_document(delays_s=[0]), policy="rule") as service:
        assert await sends(service, "e-1", defer_activation=True)
        await service.post("/v1/clock", {"now": "2026-11-21T18:00:00Z"})
        await service.post("/v1/clock", {"now": "2026-11-21T18:00:01Z"})
        await service.post("/v1/clock", {"now": "2026-11-21T18:00:02Z"})
        rows = [decode(row.body) for row in service.service.log.find_by_event(["e-1"])]
        expiries = [row for row in rows if isinstance(row, ActivationRow)]
        assert [(row.deliver, row.reason) for row in expiries] == [(False, "expired")]
        assert await activate(service, now="2026-11-21T17:00:00Z") == {"deliver": False, "reason": "expired"}


async def test_parallel_activations_agree(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as one, replica(small_document(), policy="rule") as two:
        assert await sends(one, "e-1", defer_activation=True)

        async def withdraw() -> dict[str, Any]:
            await one.client.put("/v1/shoppers/s-1/preferences", json={"consent": {"push": False, "email": False}})
            return await activate(two)

        answers = await asyncio.gather(activate(one), activate(two), withdraw(), activate(one))
        assert answers[2] == {"deliver": False, "reason": "no_consent"}, "whatever the gate said before"
        assert len(one.service.log.read(0, 100, [ActivationRow.kind])) == 1
        assert await verify(one) == ()


@pytest.mark.parametrize("replicas", [1, 2])
async def test_of_two_gates_at_once_one_writes_and_both_say_the_same(replica: Start, replicas: int) -> None:
    async with replica(small_document(), policy="rule") as one, replica(small_document(), policy="rule") as two:
        for number in range(10):
            assert await sends(one, f"e-{number}", shopper_id=f"s-{number}")
            asked = (one, (one, two)[replicas - 1])
            answers = await asyncio.gather(
                *(service.post(f"/v1/decisions/e-{number}/activate", {}) for service in asked)
            )
            assert [answer.json() for answer in answers] == [{"deliver": True}] * 2
            assert sorted("idempotent-replay" in answer.headers for answer in answers) == [False, True]
        assert len(one.service.log.read(0, 100, [ActivationRow.kind])) == 10


@pytest.mark.parametrize("take_back", [prefer_nothing, opt_out_of_another, buy, convert, erase, cancel])
async def test_what_arrives_while_the_gate_is_asked_has_the_say(
    replica: Start, monkeypatch: pytest.MonkeyPatch, take_back: Any
) -> None:
    async with replica(ending_document(delays_s=[3_600]), policy="rule") as service:
        assert await sends(service, "e-1", exclude=[{"channel": "email"}])
        activations = service.service.activations
        log = activations._log

        async def be_overtaken_and_log(*arguments: Any) -> bool:
            monkeypatch.setattr(activations, "_log", log)
            await take_back(service)
            return await log(*arguments)

        monkeypatch.setattr(activations, "_log", be_overtaken_and_log)
        assert (await activate(service))["deliver"] is False
        assert await verify(service) == ()


async def test_cancelling_frees_the_place_and_teaches_nothing(replica: Start) -> None:
    async with replica(small_document(delays_s=[0], **ONE), policy="rule") as service:
        assert await sends(service, "e-1")
        assert await cancel(service) == 200
        assert await cancel(service) == 200
        assert await sends(service, "e-2")
        assert await activate(service) == {"deliver": False, "reason": "cancelled"}
        await service.post("/v1/clock", {"now": "2026-11-25T17:00:00Z"})
        assert service.learner.progress.learned == 1


async def test_what_has_happened_cannot_be_cancelled(replica: Start) -> None:
    async with replica(small_document(delays_s=[0]), policy="rule") as service:
        by_push = [{"channel": "email"}]  # its window closes first
        assert await sends(service, "e-1", exclude=by_push)
        await service.post("/v1/feedback", {"event_id": "e-1", "type": "delivered", "now": "2026-11-21T17:01:00Z"})
        assert await cancel(service) == 409
        assert await sends(service, "e-2", exclude=by_push)
        await service.post("/v1/clock", {"now": "2026-11-21T20:59:59Z"})
        await service.post("/v1/clock", {"now": "2026-11-21T21:00:00Z"})
        assert await cancel(service, "e-2") == 409
        assert service.learner.progress.learned == 2


async def test_a_hold_is_neither_activated_nor_cancelled_and_an_unknown_decision_is_not_found(replica: Start) -> None:
    async with replica(small_document()) as service:
        await service.client.put("/v1/shoppers/s-1/preferences", json={"consent": {"push": False, "email": False}})
        assert not await sends(service, "e-1")
        for act in ("activate", "cancel"):
            assert (await service.post(f"/v1/decisions/e-1/{act}", {})).status_code == 409
            assert (await service.post(f"/v1/decisions/nobody/{act}", {})).status_code == 404
            answer = await service.post(f"/v1/decisions/e-1/{act}", {"when": 1})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "when")


async def test_the_gate_may_be_asked_with_an_empty_body(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        assert await sends(service, "e-1")
        answer = await service.client.post("/v1/decisions/e-1/activate")
        assert answer.json() == {"deliver": True}


async def test_a_days_budget_is_shared_by_all_shoppers_and_given_back(replica: Start) -> None:
    document = small_document(delays_s=[0])
    document["channels"] = {
        "push": {"attribution_window_s": 14_400, "cost": 0.4, "daily_budget": 1.0},
        "email": {"attribution_window_s": 14_400},
    }
    only_push = {"exclude": [{"channel": "email"}]}
    async with replica(document, policy="rule") as one, replica(document, policy="rule") as two:
        answers = await asyncio.gather(
            *((one, two)[n % 2].decide(event_id=f"e-{n}", shopper_id=f"s-{n}", **only_push) for n in range(10))
        )
        sent = [answer for answer in answers if answer["decision"] == "send"]
        assert len(sent) == 2
        assert {answer["hold_reason"] for answer in answers} <= {None, "lost_race", "no_eligible_action"}
        refused = await one.decide(event_id="late", shopper_id="s-late", **only_push)
        assert {entry["reason"] for entry in refused["excluded"] if entry["channel"] == "push"} == {"budget"}
        assert await cancel(one, sent[0]["event_id"]) == 200
        assert (await two.decide(event_id="again", shopper_id="s-late", **only_push))["decision"] == "send"
        tomorrow = await two.decide(event_id="next", shopper_id="s-next", now="2026-11-22T00:00:00Z", **only_push)
        assert tomorrow["decision"] == "send"


async def test_a_row_of_a_distant_date_gives_no_budget_back(replica: Start) -> None:
    document = small_document(delays_s=[0])
    document["channels"]["push"] |= {"cost": 0.4, "daily_budget": 0.5}
    by_push = {"exclude": [{"channel": "email"}]}
    async with replica(document, policy="rule") as service:
        assert await sends(service, "e-1", **by_push)
        await service.post("/v1/events", {"shopper_id": "s-9", "type": "session", "now": "2026-12-31T17:00:00Z"})
        recovery = service.service.recovery
        recovery._checks = 0  # it tidies up at the first check
        await recovery._check()
        assert not await sends(service, "e-2", shopper_id="s-2", **by_push)


async def test_the_budget_is_known_again_after_the_state_was_lost(replica: Start, redis: Any) -> None:
    document = small_document(delays_s=[0])
    document["channels"]["push"] |= {"cost": 0.4, "daily_budget": 0.5}
    body = {"exclude": [{"channel": "email"}]}
    async with replica(document, policy="rule") as service:
        assert (await service.decide(event_id="e-1", **body))["decision"] == "send"
    redis.kill()
    redis.start()
    async with replica(document, policy="rule") as service:
        assert (await service.decide(event_id="e-2", shopper_id="s-2", **body))["hold_reason"] == "no_eligible_action"


async def test_a_batch_that_may_use_a_budget_up_is_decided_in_order(replica: Start) -> None:
    document = small_document(delays_s=[0])
    document["channels"]["push"] |= {"cost": 0.4, "daily_budget": 1.0}
    bodies = [
        decide_body(event_id=f"e-{number}", shopper_id=f"s-{number}", exclude=[{"channel": "email"}])
        for number in range(12)
    ]
    async with replica(document, policy="rule") as service:
        answers = (await service.post("/v1/decide/batch", {"decisions": bodies})).json()["results"]
    sent = [number for number, answer in enumerate(answers) if answer["decision"] == "send"]
    assert len(sent) == 2
    after = answers[sent[1] + 1 :]
    assert {answer["hold_reason"] for answer in after} == {"no_eligible_action"}
    assert {entry["reason"] for answer in after for entry in answer["excluded"]} == {"excluded_by_caller", "budget"}
