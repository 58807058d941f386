"""The door of the pipeline: repeats join, callers hang up, one guilty request fails alone, what waits is decided."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
import redis.asyncio as redis_asyncio

from decision_service.errors import INTERNAL, Invalid, ServiceError, Unavailable
from decision_service.pipeline import batch as batch_module
from decision_service.pipeline.decider import Decider
from decision_service.pipeline.drafting import draft_items
from decision_service.pipeline.item import DecisionResponse
from decision_service.pipeline.queue import Queue
from decision_service.schemas.parsing import parse
from decision_service.schemas.requests import DecideBody
from decision_service.state.pending import ReserveResult
from policies.records.rows import DecisionRow
from tests.conftest import RealRedis
from tests.decision_service.conftest import Replica, Start, decide_body
from tests.factories import NOW, small_document

pytestmark = pytest.mark.anyio


def body(event_id: str | None = "e-1", shopper_id: str = "s-1", **changes: Any) -> DecideBody:
    document = decide_body(event_id=event_id, shopper_id=shopper_id, now=None, **changes)
    return parse(DecideBody, msgspec.json.encode(document))


def bodies(size: int) -> list[tuple[DecideBody, float]]:
    return [(body(f"e-{number}", f"s-{number}"), NOW) for number in range(size)]


def decisions(service: Replica) -> list[DecisionRow]:
    rows = [stored.row for stored in service.service.log.read(0, 10_000)]
    return [row for row in rows if isinstance(row, DecisionRow)]


class Gate:
    """Stops reservations until it is opened."""

    def __init__(self, service: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        self._reserve = service.service.store.reserve_many
        monkeypatch.setattr(service.service.store, "reserve_many", self._wait_and_reserve)

    async def _wait_and_reserve(self, reservations: Sequence[Any]) -> list[ReserveResult]:
        self.reached.set()
        await self.opened.wait()
        return await self._reserve(reservations)


async def test_a_storm_of_one_request_gives_one_row_and_one_answer(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        answers = await asyncio.gather(*(service.post("/v1/decide", decide_body()) for _ in range(200)))
        assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
        assert Counter(answer.headers.get("Idempotent-Replay") for answer in answers) == {"true": 199, None: 1}
        assert [row.event_id for row in decisions(service)] == ["e-1"]


async def test_another_body_under_an_id_that_is_under_way_is_refused_when_the_first_is_decided(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replica(small_document(), policy="rule") as service:
        gate, decider = Gate(service, monkeypatch), service.service.decider
        first = asyncio.create_task(decider.decide(body(), NOW))
        await gate.reached.wait()
        rivals = [asyncio.create_task(decider.decide(body(context={"n": n}), NOW)) for n in range(3)]
        repeat = asyncio.create_task(decider.decide(body(), NOW))
        await asyncio.sleep(0)
        assert not any(task.done() for task in (first, repeat, *rivals))
        gate.opened.set()
        assert await repeat == DecisionResponse((await first).body, replayed=True)
        for rival in rivals:
            with pytest.raises(Invalid, match="another body"):
                await rival
        assert len(decisions(service)) == 1


async def test_a_body_is_decided_where_the_other_one_under_its_id_was_refused(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        wrong = body(triggers=[{"type": "nope"}])
        refused, decided = await service.service.decider.decide_list([(wrong, NOW), (body(), NOW)])
        assert isinstance(refused, Invalid)
        assert isinstance(decided, DecisionResponse)


async def test_a_repeat_of_a_refused_body_knows_the_other_body_that_came_between(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        wrong = body(triggers=[{"type": "nope"}])
        requests = [(wrong, NOW), (body(), NOW), (wrong, NOW)]
        refused, decided, repeat = await service.service.decider.decide_list(requests)
        assert isinstance(refused, Invalid)
        assert refused.errors[0].field == "triggers.0.type"
        assert isinstance(decided, DecisionResponse)
        assert isinstance(repeat, Invalid)
        assert "another body" in repeat.detail


async def test_a_caller_that_hangs_up_leaves_its_row_and_a_working_pipeline(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replica(small_document(), policy="rule") as service:
        gate, decider = Gate(service, monkeypatch), service.service.decider
        calls = [asyncio.create_task(decider.decide(body(f"e-{n}", f"s-{n}"), NOW)) for n in range(3)]
        calls.append(asyncio.create_task(decider.decide(body("e-1", "s-1"), NOW)))
        await gate.reached.wait()
        waiting = asyncio.create_task(decider.decide(body("late", "s-9"), NOW))
        await asyncio.sleep(0)
        for call in (calls[0], calls[1], waiting):
            call.cancel()
        gate.opened.set()
        assert isinstance(await calls[2], DecisionResponse)
        assert (await calls[3]).replayed, "a repeat gets the answer that its first caller did not wait for"
        await decider.close()
        assert sorted(row.event_id for row in decisions(service)) == ["e-0", "e-1", "e-2", "late"]
        assert calls[0].cancelled()


async def test_one_request_that_breaks_the_draw_fails_alone(replica: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async with replica(small_document(), policy="rule") as service:

        def break_down(items: Sequence[Any], *arguments: Any) -> Any:
            if any(item.request.event_id == "e-37" for item in items):
                raise ZeroDivisionError
            return draft_items(items, *arguments)

        monkeypatch.setattr(batch_module, "draft_items", break_down)
        results = await service.service.decider.decide_list(bodies(100))
        errors = {number: result for number, result in enumerate(results) if isinstance(result, ServiceError)}
        assert {number: error.detail for number, error in errors.items()} == {37: INTERNAL}
        assert len(decisions(service)) == 99
        answer = await service.post("/v1/decide", decide_body(event_id="e-37"))
        assert (answer.status_code, answer.json()["detail"]) == (500, INTERNAL)


async def test_one_row_that_breaks_the_group_fails_alone_and_no_place_stays(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replica(small_document(caps=[{"max": 1, "window_s": 86_400}]), policy="rule") as service:
        log = service.service.log
        append = log.append

        def break_down(rows: Sequence[Any]) -> Any:
            if any(row.event_id == "e-1" for row in rows):
                raise ZeroDivisionError
            return append(rows)

        monkeypatch.setattr(log, "append", break_down)
        results = await service.service.decider.decide_list(bodies(5))
        assert [isinstance(result, DecisionResponse) for result in results] == [True, False, True, True, True]
        monkeypatch.setattr(log, "append", append)
        assert (await service.decide(event_id="again", shopper_id="s-1"))["decision"] == "send"


async def test_one_shopper_whose_state_cannot_be_read_fails_alone(replica: Start, redis: RealRedis) -> None:
    async with replica(small_document(), policy="rule") as service:
        shopper = service.service.shopper_keys.key("s-2")
        async with redis_asyncio.Redis.from_url(redis.url) as client:
            (name,) = [key async for key in client.scan_iter("ds:*:meta")]
            await client.hset(name.decode().replace("meta", f"s:{shopper}"), "b", b"no state")
        results = await service.service.decider.decide_list(bodies(5))
        assert [isinstance(result, DecisionResponse) for result in results] == [True, True, False, True, True]


async def test_too_many_requests_are_refused_at_the_door(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        service.service.decider = Decider(service.service.decider._parts, Queue(most_waiting=3))
        answer = await service.post(
            "/v1/decide/batch", {"decisions": [decide_body(event_id=f"e-{n}") for n in range(4)]}
        )
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert decisions(service) == []


async def test_what_waits_is_decided_before_the_service_stops_and_nothing_after(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        decider = service.service.decider
        waiting = asyncio.create_task(decider.decide_list(bodies(150)))
        await asyncio.sleep(0)
        await decider.close()
        assert all(isinstance(result, DecisionResponse) for result in await waiting)
        assert len(decisions(service)) == 150
        with pytest.raises(Unavailable):
            await decider.decide(body("late"), NOW)


async def test_a_single_does_not_wait_for_a_long_list(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        decider = service.service.decider
        whole_list = asyncio.create_task(decider.decide_list(bodies(600)))
        await asyncio.sleep(0)
        single = await decider.decide(body("single", "s-9"), NOW)
        assert isinstance(single, DecisionResponse)
        assert not whole_list.done()
        await whole_list
        place = [row.event_id for row in decisions(service)].index("single")
        assert place <= 2 * 64, "at most the two batches that began before it"


async def test_an_error_is_logged_under_the_id_of_its_own_request(
    replica: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with replica(small_document(), policy="rule") as service:

        def break_down(items: Sequence[Any], *arguments: Any) -> Any:
            if any(item.request.event_id == "e-2" for item in items):
                raise ZeroDivisionError
            return draft_items(items, *arguments)

        async def ask(number: int) -> int:
            asked = decide_body(event_id=f"e-{number}", shopper_id=f"s-{number}")
            headers = {"X-Request-Id": f"r-{number}"}
            return (await service.client.post("/v1/decide", json=asked, headers=headers)).status_code

        monkeypatch.setattr(batch_module, "draft_items", break_down)
        assert await asyncio.gather(*map(ask, range(4))) == [200, 200, 500, 200]
        failures = [record for record in caplog.records if record.message == "a decision failed"]
        assert [getattr(record, "request_id", None) for record in failures] == ["r-2"]


async def test_a_send_that_was_refused_keeps_what_was_drawn_where_another_request_breaks_its_round(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the place of the send is refused, and then the row of the other request breaks the group."""
    async with replica(small_document(), policy="rule") as service:
        log, store, tokyo = service.service.log, service.service.store, {"time_zone": "Asia/Tokyo"}
        append, reserve = log.append, store.reserve_many

        async def move_first(reservations: Sequence[Any]) -> list[ReserveResult]:
            monkeypatch.setattr(store, "reserve_many", reserve)
            await service.client.put("/v1/shoppers/s-1/preferences", json=tokyo)
            return await reserve(reservations)

        def break_down(rows: Sequence[Any]) -> Any:
            if any(row.event_id == "e-0" for row in rows):
                raise ZeroDivisionError
            return append(rows)

        monkeypatch.setattr(store, "reserve_many", move_first)
        monkeypatch.setattr(log, "append", break_down)
        guilty, refused = await service.service.decider.decide_list(bodies(2))
        assert isinstance(guilty, ServiceError)
        assert isinstance(refused, DecisionResponse)
        (row,) = decisions(service)
        assert row.context["local_hour"] == (NOW / 3_600) % 24


async def test_what_a_batch_decides_after_a_change_of_the_catalogue_is_decided_with_the_new_one(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = small_document(currency="EUR")
    for channel in document["channels"].values():
        channel |= {"cost": 0.5, "daily_budget": 1.0}
    async with replica(document, policy="rule") as service:
        reserve, store = service.service.store.reserve_many, service.service.store

        async def change_first(reservations: Sequence[Any]) -> list[ReserveResult]:
            monkeypatch.setattr(store, "reserve_many", reserve)
            answer = await service.client.put("/v1/catalog", json=document | {"delays_s": [0]})
            assert answer.status_code == 200
            return await reserve(reservations)

        monkeypatch.setattr(store, "reserve_many", change_first)
        await service.service.decider.decide_list(bodies(4))
        rows = [(row.event_id, row.catalogue_version, row.hold_reason) for row in decisions(service)]
        assert rows[:2] == [("e-0", 1, "lost_race"), ("e-1", 1, "lost_race")], "drawn before the change"
        assert rows[2:] == [("e-2", 2, None), ("e-3", 2, None)]


@pytest.mark.parametrize("trigger", ["cart_abandoned", "nope"])
async def test_a_request_leaves_no_cycle_for_the_garbage_collector(replica: Start, trigger: str) -> None:
    """A replica collects cycles rarely."""
    async with replica(small_document(), policy="rule") as service:
        decider, requests = (
            service.service.decider,
            [(body(f"e-{n}", triggers=[{"type": trigger}]), NOW) for n in range(60)],
        )
        await asyncio.gather(*(decider.decide(*request) for request in requests[:20]), return_exceptions=True)
        gc.collect()
        gc.disable()
        try:
            await asyncio.gather(*(decider.decide(*request) for request in requests[20:]), return_exceptions=True)
            assert gc.collect() < 400
        finally:
            gc.enable()
