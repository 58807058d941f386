"""The state store is lost, in every way: nothing is sent unguarded, and what the log knows comes back."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import redis.asyncio as redis_asyncio

from policies.records.rows import SHOPPER_ROWS, DecisionRow, decode
from policies.shopper.fold import fold
from policies.shopper.state import ShopperState
from tests.conftest import RealRedis
from tests.decision_service.conftest import Replica, Start, decide_body
from tests.decision_service.learning.test_learner import iso, live
from tests.factories import small_document

pytestmark = pytest.mark.anyio

CAPPED = small_document(caps=[{"max": 2, "window_s": 30 * 86_400}])


@asynccontextmanager
async def client_of(redis: RealRedis) -> AsyncIterator[redis_asyncio.Redis]:
    client = redis_asyncio.Redis.from_url(redis.url)
    yield client
    await client.aclose()


async def until_ready(service: Replica) -> None:
    async with asyncio.timeout(60):
        while (await service.client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.05)


async def fill(service: Replica) -> None:
    answers = [await service.decide(event_id=f"fill-{number}", shopper_id="full") for number in range(3)]
    assert [answer["decision"] for answer in answers] == ["send", "send", "hold"]


def folded_from_the_log(service: Replica) -> dict[str, ShopperState]:
    states: dict[str, ShopperState] = defaultdict(ShopperState)
    for stored in service.service.log.read(0, 1_000_000):
        row = decode(stored.body)
        if isinstance(row, SHOPPER_ROWS) and row.shopper_id:
            states[row.shopper_id] = fold(states[row.shopper_id], row)
    return states


async def assert_state_is_the_logs_fold(service: Replica) -> None:
    await service.service.log_writer.wait_until_contained(service.rows())
    states = folded_from_the_log(service)
    assert states
    for shopper_id, state in states.items():
        assert (await service.service.store.read(service.service.shopper_keys.key(shopper_id))).state == state


async def test_emptied_while_stopped_the_state_is_back_after_the_start(replica: Start, redis: RealRedis) -> None:
    async with replica(CAPPED, policy="rule") as service:
        await live(service, 2)
        await fill(service)
        await service.client.put("/v1/shoppers/s-9/preferences", json={"consent": {"push": False}, "locale": "es"})
        await assert_state_is_the_logs_fold(service)
    async with client_of(redis) as client:
        await client.flushall()
    async with replica(CAPPED, policy="rule") as service:
        await assert_state_is_the_logs_fold(service)
        assert (await service.decide(event_id="after", shopper_id="full"))["hold_reason"] == "no_eligible_action"


async def test_emptied_while_running_it_holds_until_the_state_is_back(replica: Start, redis: RealRedis) -> None:
    async with replica(CAPPED, policy="rule") as service:
        await fill(service)
        async with client_of(redis) as client:
            await client.flushall()
        answer = await service.decide(event_id="at-once", shopper_id="s-2")
        assert (answer["decision"], answer["hold_reason"], answer["propensity"]) == ("hold", "degraded", None)
        again = await service.post("/v1/decide", decide_body(event_id="at-once", shopper_id="s-2"))
        assert again.json() == answer
        await until_ready(service)
        assert (await service.decide(event_id="after", shopper_id="full"))["hold_reason"] == "no_eligible_action"
        assert (await service.decide(event_id="other", shopper_id="s-2"))["decision"] == "send"
        await assert_state_is_the_logs_fold(service)


async def test_a_held_out_shopper_stays_in_the_holdout_while_the_state_is_away(
    replica: Start, redis: RealRedis
) -> None:
    async with replica(CAPPED | {"arms": {"holdout": 1.0}}) as service:
        redis.kill()
        answer = await service.decide()
        assert (answer["hold_reason"], answer["arm"]) == ("degraded", "holdout")


async def test_a_critical_trigger_is_told_to_come_again(replica: Start, redis: RealRedis) -> None:
    async with replica() as service:
        redis.kill()
        critical = decide_body(triggers=[{"type": "welcome", "critical": True}])
        answer = await service.post("/v1/decide", critical)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert (await service.client.get("/readyz")).status_code == 503
        assert (await service.client.get("/healthz")).status_code == 200


async def test_killed_under_load_no_cap_is_passed_and_the_state_comes_back(replica: Start, redis: RealRedis) -> None:
    async with replica(CAPPED, policy="rule") as one, replica(CAPPED, policy="rule") as two:
        answers = []

        async def shop(number: int) -> None:
            for each in range(40):
                event_id, shopper_id = f"k-{number}-{each}", f"s-{(number + each) % 25}"
                service = (one, two)[each % 2]
                answers.append(await service.decide(event_id=event_id, shopper_id=shopper_id, now=iso(each / 10)))
                if each % 7 == 0 and answers[-1]["decision"] == "send":
                    await service.post("/v1/feedback", {"event_id": event_id, "type": "opt_out"})

        async def disturb() -> None:
            for _ in range(2):
                await asyncio.sleep(0.15)
                redis.kill()
                await asyncio.sleep(0.1)
                await asyncio.to_thread(redis.start)
                await until_ready(one)
                await until_ready(two)

        await asyncio.gather(disturb(), *(shop(number) for number in range(12)))
        assert "degraded" in {answer["hold_reason"] for answer in answers}
        sends: dict[str, int] = defaultdict(int)
        for stored in one.service.log.read(0, 1_000_000):
            row = decode(stored.body)
            if isinstance(row, DecisionRow) and row.send_at is not None:
                sends[row.shopper_id] += 1
        assert sends
        voided = sum(row.kind == "outcome" for row in one.service.log.read(0, 1_000_000))
        assert sum(max(0, count - 2) for count in sends.values()) <= voided
        await assert_state_is_the_logs_fold(one)
        await assert_state_is_the_logs_fold(two)


async def test_an_opt_out_while_the_state_is_away_is_taken_and_binds_when_it_is_back(
    replica: Start, redis: RealRedis
) -> None:
    async with replica(policy="rule") as service:
        channel = (await service.decide())["action"]["channel"]
        redis.kill()
        answer = await service.post("/v1/feedback", {"event_id": "e-1", "type": "opt_out"})
        assert (answer.status_code, answer.json()["results"]) == (202, [{"status": "accepted"}])
        redis.start()
        await until_ready(service)
        next_one = await service.decide(event_id="e-2")
        reasons = {each["reason"] for each in next_one["excluded"] if each["channel"] == channel}
        assert "no_consent" in reasons <= {"no_consent", "no_content"}
