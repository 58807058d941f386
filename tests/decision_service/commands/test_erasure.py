"""Erasure: who it was is gone everywhere, what was learned stays, and nothing is sent to the id any more."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from decision_service.app import open_learner
from decision_service.log.base import NewRow
from decision_service.projection.verification import Verification
from decision_service.state.pending import Reservation
from policies.records.rows import DecisionRow, ErasureRow, EventRow, OutcomeRow, decode
from tests.conftest import RealRedis
from tests.decision_service.conftest import Replica, Start, decide_body
from tests.factories import NOW, small_document

pytestmark = pytest.mark.anyio

PERSONAL = "anna-from-vigo"


async def live(service: Replica, shopper_id: str = PERSONAL) -> list[str]:
    """Decide, click, buy and prefer as one shopper; give the ids of the sends."""
    attributes = {"product": f"gift of {shopper_id}", "category": "shoes"}
    event = {
        "id": "o-1",
        "shopper_id": shopper_id,
        "type": "purchase",
        "attributes": {"value": 20.0, "note": shopper_id},
    }
    await service.post("/v1/events", {"events": [event], "now": "2026-11-20T17:00:00Z"})
    sent = []
    for number in range(6):
        triggers = [{"type": "cart_abandoned", "attributes": attributes}]
        at = f"2026-11-2{number % 3 + 1}T17:00:00Z"
        answer = await service.decide(event_id=f"e-{number}", shopper_id=shopper_id, triggers=triggers, now=at)
        if answer["decision"] == "send":
            sent.append(f"e-{number}")
            await service.post("/v1/feedback", {"event_id": f"e-{number}", "type": "click", "now": at})
    return sent


async def erase(service: Replica, shopper_id: str = PERSONAL) -> None:
    answer = await service.client.delete(f"/v1/shoppers/{shopper_id}")
    assert (answer.status_code, answer.content) == (204, b"")


async def prefer(service: Replica, shopper_id: str, now: str, **changes: Any) -> Any:
    """Put preferences; return all of them."""
    answer = await service.client.put(f"/v1/shoppers/{shopper_id}/preferences", json=changes | {"now": now})
    return answer.json()


def everything_stored(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file() and ".sqlite" in path.name)


def stored_decisions(log: Path) -> list[bytes]:
    """Return the bodies of decisions as they are stored: compressed, so that no name is found in them."""
    with closing(sqlite3.connect(log)) as database:
        return [body for (body,) in database.execute("SELECT body FROM log WHERE kind = 'decision'")]


async def test_nothing_stored_names_the_shopper_any_more(replica: Start, tmp_path: Path) -> None:
    async with replica() as service:
        await live(service)
        assert PERSONAL.encode() in everything_stored(tmp_path)
        bodies = stored_decisions(tmp_path / "decisions.sqlite")
        assert bodies
        assert all(body in everything_stored(tmp_path) for body in bodies)
        await erase(service)
        assert service.service.log.find_by_shopper(PERSONAL, 10) == []
        rows = [decode(row.body) for row in service.service.log.read(0, 1_000)]
        decisions = [row for row in rows if isinstance(row, DecisionRow)]
        assert all(row.answer == "" and row.triggers[0].attributes == {} for row in decisions)
        assert {row.shopper_id.split(":")[0] for row in decisions} == {"erased"}
        assert [row.attributes for row in rows if isinstance(row, EventRow)] == [{}]
        assert isinstance(rows[-1], ErasureRow)
        await service.post("/v1/clock", {"now": "2026-11-25T17:00:00Z"})
    for path in tmp_path.glob("*.sqlite*"):
        if path.suffix == ".sqlite":
            with sqlite3.connect(path) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database.close()
    assert PERSONAL.encode() not in everything_stored(tmp_path)
    assert not any(body in everything_stored(tmp_path) for body in bodies)


async def test_the_id_consents_to_nothing_until_preferences_are_put_again(replica: Start) -> None:
    async with replica(small_document()) as one, replica(small_document()) as two:
        assert (await one.decide())["decision"] == "send"
        await erase(one, "s-1")
        held = await two.decide(event_id="e-2")
        assert held["hold_reason"] == "no_eligible_action"
        assert {excluded["reason"] for excluded in held["excluded"]} == {"no_consent"}
        preferences = (await two.client.get("/v1/shoppers/s-1/preferences")).json()
        assert preferences["consent"] == {"push": False, "email": False}
        report = (await two.client.get("/v1/report")).json()
        assert (report["shoppers"], report["opt_in_rate"]) == (1, {"push": 0.0, "email": 0.0})
        for changes in ({"locale": "en"}, {"reachable": {"push": True}}, {"subscribed": True}):
            await prefer(two, "s-1", "2026-11-21T17:00:01Z", **changes)
        held = await two.decide(event_id="e-3", now="2026-11-21T17:00:01Z")
        assert {excluded["reason"] for excluded in held["excluded"]} == {"no_consent"}
        await prefer(two, "s-1", "2026-11-21T17:00:02Z", consent={"push": True})
        sent = await one.decide(event_id="e-4", now="2026-11-21T17:00:02Z")
        assert (sent["decision"], sent["action"]["channel"]) == ("send", "push")
        assert (await prefer(two, "s-1", "2026-11-21T17:00:02Z"))["consent"] == {"push": True, "email": False}


async def test_it_holds_after_the_state_was_lost(replica: Start, redis: RealRedis) -> None:
    async with replica(small_document()) as service:
        await service.decide()
        await erase(service, "s-1")
        await erase(service, "never-seen")
    redis.kill()
    redis.start()
    async with replica(small_document()) as service:
        for number, shopper_id in enumerate(("s-1", "never-seen")):
            answer = await service.decide(event_id=f"after-{number}", shopper_id=shopper_id)
            assert answer["hold_reason"] == "no_eligible_action"


async def test_rows_folded_before_and_after_an_erasure_rewrote_them_meet_in_one_state(
    replica: Start, redis: RealRedis
) -> None:
    """A bounce gives a send's cost back also when the send was folded as it was, and the bounce comes rewritten."""
    document = small_document(delays_s=[0])
    for channel in document["channels"].values():
        channel.update(cost=0.5, daily_budget=10.0)
    async with replica(document, policy="rule") as service:
        sent = await service.decide()
        store, log = service.service.store, service.service.log
        await service.service.log_writer.wait_until_contained()
        assert sum((await store.spending()).values()) == 500_000
        bounce = OutcomeRow(
            at=NOW, event_id=sent["event_id"], type="bounce", occurred_at=NOW, shopper_id="s-1", channel="push"
        )
        log.append([NewRow(bounce)])  # not folded yet
        await erase(service, "s-1")
        assert await store.spending() == {}
        verified = await Verification(log, store, service.service.shopper_keys).run()
        assert verified.differences == ()


async def test_an_erased_decisions_id_is_gone_and_its_sends_ahead_are_void(replica: Start) -> None:
    document = small_document(delays_s=[3600])
    async with replica(document) as service:
        assert (await service.decide())["decision"] == "send"
        await erase(service, "s-1")
        again = await service.post(
            "/v1/decide",
            {"event_id": "e-1", "shopper_id": "s-1", "triggers": [{"type": "cart_abandoned"}]}
            | {"now": "2026-11-21T17:00:00Z"},
        )
        assert again.status_code == 410
        gate = await service.post("/v1/decisions/e-1/activate", {})
        assert gate.json() == {"deliver": False, "reason": "erased"}
        await service.post("/v1/clock", {"now": "2026-11-25T17:00:00Z"})
        assert service.learner.progress.learned == 0


async def test_an_erasure_that_the_logs_time_overtakes_takes_back_nothing_learned(replica: Start) -> None:
    """What was learned from was sent: it is paid for, and told so."""
    document = small_document(delays_s=[3600])
    document["channels"]["push"] |= {"cost": 0.4}
    async with replica(document, policy="rule") as service:
        assert (await service.decide(exclude=[{"channel": "email"}]))["decision"] == "send"
        await service.post("/v1/clock", {"now": "2026-11-25T17:00:00Z"})
        assert service.learner.progress.learned == 1
        await service.service.erasure.erase("s-1", NOW + 60)  # it read the clock before the clock row was written
        explanation = (await service.client.get("/v1/decisions/e-1")).json()
        assert (explanation["status"], explanation["learned"]["status"]) == ("sent", "learned")
        assert list((await service.service.store.spending()).values()) == [400_000]


async def test_the_fold_of_the_log_is_unchanged(replica: Start) -> None:
    """A learner that saw the rows as they were, and one that sees them erased, learn the very same."""
    async with replica() as service:
        sent = await live(service)
        await live_elsewhere(service)
        assert sent
        service.learner.catch_up(service.rows())
        await erase(service)
        await service.post("/v1/clock", {"now": "2026-12-25T17:00:00Z"})
        seen = service.learner._learning.to_bytes()
        fresh = open_learner(service.service.settings)
        fresh._learning = fresh._begin()
        while fresh._fold():
            pass
        assert fresh._learning.learned == service.learner.progress.learned > 0
        assert fresh._learning.to_bytes() == seen


async def live_elsewhere(service: Replica) -> None:
    for number in range(20):
        await service.decide(event_id=f"other-{number}", shopper_id=f"s-{number}")


async def test_late_news_of_an_erased_decision_is_taken_and_joined(replica: Start) -> None:
    async with replica() as service:
        sent = await live(service)
        await erase(service)
        news: dict[str, Any] = {"event_id": sent[-1], "type": "opt_out", "now": "2026-11-23T19:00:00Z"}
        answer = await service.post("/v1/feedback", news)
        assert answer.json()["results"] == [{"status": "accepted"}]


class EraseDuring:
    """Erases the shopper in the middle of another call."""

    def __init__(self, service: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
        self._service, self._patch, self._loop = service, monkeypatch, asyncio.get_running_loop()

    def read(self, name: str) -> None:
        """Erase directly after a method has read the log, in another thread."""
        log = self._service.service.log
        reading = getattr(log, name)

        def read_and_erase(*arguments: Any) -> Any:
            rows = reading(*arguments)
            self._patch.setattr(log, name, reading)
            asyncio.run_coroutine_threadsafe(erase(self._service), self._loop).result(10)
            return rows

        self._patch.setattr(log, name, read_and_erase)

    def reserve(self) -> None:
        """Erase directly before a send is reserved."""
        store = self._service.service.store
        reserving = store.reserve_many

        async def erase_and_reserve(reservations: Sequence[Reservation]) -> Any:
            self._patch.setattr(store, "reserve_many", reserving)
            await erase(self._service)
            return await reserving(reservations)

        self._patch.setattr(store, "reserve_many", erase_and_reserve)


async def names_of(service: Replica, event_id: str) -> set[str]:
    rows = service.service.log.find_by_event([event_id])
    return {(row.shopper_id or "").split(":")[0] for row in rows}


async def test_what_runs_beside_an_erasure_does_not_bring_the_id_back(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replica(small_document()) as service:
        for number, (event_id, method) in enumerate((("e-1", "find_by_key"), ("e-2", "find_by_event"))):
            now = f"2026-11-21T17:00:0{number}Z"
            await prefer(service, PERSONAL, now, consent={"push": True})
            assert (await service.decide(event_id=event_id, shopper_id=PERSONAL, now=now))["decision"] == "send"
            EraseDuring(service, monkeypatch).read(method)
            if method == "find_by_key":
                answer = await service.post("/v1/feedback", {"event_id": event_id, "type": "click"})
                assert (answer.status_code, answer.json()["results"][0]["status"]) == (202, "accepted")
            else:
                assert (await service.post(f"/v1/decisions/{event_id}/cancel", {})).status_code == 200
            assert len(service.service.log.find_by_event([event_id])) == 2
            assert await names_of(service, event_id) == {"erased"}


async def test_a_decision_that_an_erasure_overtakes_knows_nothing_any_more(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replica(small_document(), policy="rule") as service:
        view = {"shopper_id": PERSONAL, "type": "product_view", "attributes": {"category": "health"}}
        await service.post("/v1/events", {"events": [view], "now": "2026-11-21T17:00:00Z"})
        EraseDuring(service, monkeypatch).reserve()
        held = await service.decide(event_id="e-1", shopper_id=PERSONAL)
        assert held["hold_reason"] == "no_eligible_action"
        (row,) = (stored.row for stored in service.service.log.find_by_event(["e-1"]))
        assert isinstance(row, DecisionRow)
        assert "health" not in row.context.values()


async def test_an_early_opt_out_does_not_bring_the_id_back(replica: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shopper is erased as soon as the decision is written."""
    async with replica(small_document(), policy="rule") as service:
        await service.post("/v1/feedback", {"event_id": "e-1", "type": "opt_out", "now": "2026-11-21T17:00:00Z"})
        log_writer = service.service.log_writer
        append = log_writer.append_all

        async def append_and_erase(rows: Sequence[NewRow]) -> Any:
            results = await append(rows)
            monkeypatch.setattr(log_writer, "append_all", append)
            await erase(service)
            return results

        monkeypatch.setattr(log_writer, "append_all", append_and_erase)
        await service.decide(event_id="e-1", shopper_id=PERSONAL)
        assert service.service.log.find_by_shopper(PERSONAL, 10) == []
        preferences = (await service.client.get(f"/v1/shoppers/{PERSONAL}/preferences")).json()
        assert preferences["consent"] == {"push": False, "email": False}


async def test_names_that_erasure_uses_are_refused(replica: Start) -> None:
    async with replica() as service:
        answer = await service.post("/v1/decide", {"shopper_id": "erased:1", "triggers": [{"type": "welcome"}]})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "shopper_id")
        assert (await service.client.delete("/v1/shoppers/erased:1")).status_code == 422


async def test_deleting_a_part_of_a_shopper_erases_nobody(replica: Start) -> None:
    async with replica() as service:
        await service.client.put("/v1/shoppers/s-1/preferences", json={"consent": {"email": True}})
        for part in ("preferences", "timeline"):
            answer = await service.client.delete(f"/v1/shoppers/s-1/{part}")
            assert (answer.status_code, "DELETE" in answer.headers["allow"]) == (405, False)
            answer = await service.post("/v1/decide", {"shopper_id": f"a/{part}", "triggers": [{"type": "welcome"}]})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "shopper_id")
        kinds = [row.kind for row in service.service.log.read(0, 1_000)]
        assert ErasureRow.kind not in kinds
        assert DecisionRow.kind not in kinds


async def test_what_was_asked_before_an_erasure_is_not_written_behind_it_while_the_state_is_away(
    replica: Start, redis: RealRedis
) -> None:
    async with replica() as asked, replica() as erasing:
        await asked.decide(event_id="before", shopper_id=PERSONAL)
        redis.kill()
        await erase(erasing)
        body = decide_body(event_id="after", shopper_id=PERSONAL)
        refused = await asked.post("/v1/decide", body)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert asked.service.log.find_by_shopper(PERSONAL, 10) == []
        assert (await asked.decide(event_id="after", shopper_id=PERSONAL))["hold_reason"] == "degraded"
