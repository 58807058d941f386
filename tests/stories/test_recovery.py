"""The state store loses its data or dies: no send breaks a guardrail, and the state is rebuilt from the log."""

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
async def connect(redis: RealRedis) -> AsyncIterator[redis_asyncio.Redis]:
    client = redis_asyncio.Redis.from_url(redis.url)
    yield client
    await client.aclose()


async def use_up_cap(service: Replica) -> None:
    """Send to the shopper "full" as often as the cap allows."""
    answers = [await service.decide(event_id=f"fill-{number}", shopper_id="full") for number in range(3)]
    assert [answer["decision"] for answer in answers] == ["send", "send", "hold"]


def fold_of_the_log(service: Replica) -> dict[str, ShopperState]:
    """Return the state of each shopper, folded from the whole log."""
    states: dict[str, ShopperState] = defaultdict(ShopperState)
    for stored in service.service.log.read(0, 1_000_000):
        row = decode(stored.body)
        if isinstance(row, SHOPPER_ROWS) and row.shopper_id:
            states[row.shopper_id] = fold(states[row.shopper_id], row)
    return states


async def assert_state_agrees_with_log(service: Replica) -> None:
    await service.service.log_writer.wait_until_contained(service.rows())
    states = fold_of_the_log(service)
    assert states
    for shopper_id, state in states.items():
        assert (await service.service.store.read(service.service.shopper_keys.key(shopper_id))).state == state


async def test_emptied_while_stopped_the_state_is_back_after_the_start(replica: Start, redis: RealRedis) -> None:
    async with replica(CAPPED, policy="rule") as service:
        await live(service, 2)
        await use_up_cap(service)
        await service.client.put("/v1/shoppers/s-9/preferences", json={"consent": {"push": False}, "locale": "es"})
        await assert_state_agrees_with_log(service)
    async with connect(redis) as client:
        await client.flushall()
    async with replica(CAPPED, policy="rule") as service:
        await assert_state_agrees_with_log(service)
        assert (await service.decide(event_id="after", shopper_id="full"))["hold_reason"] == "no_eligible_action"


async def test_emptied_while_running_it_holds_until_the_state_is_back(replica: Start, redis: RealRedis) -> None:
    async with replica(CAPPED, policy="rule") as service:
        await use_up_cap(service)
        async with connect(redis) as client:
            await client.flushall()
        answer = await service.decide(event_id="at-once", shopper_id="s-2")
        assert (answer["decision"], answer["hold_reason"], answer["propensity"]) == ("hold", "degraded", None)
        again = await service.post("/v1/decide", decide_body(event_id="at-once", shopper_id="s-2"))
        assert again.json() == answer
        await service.wait_until_ready()
        assert (await service.decide(event_id="after", shopper_id="full"))["hold_reason"] == "no_eligible_action"
        assert (await service.decide(event_id="other", shopper_id="s-2"))["decision"] == "send"
        await assert_state_agrees_with_log(service)


async def test_a_held_out_shopper_stays_in_the_holdout_while_the_state_is_away(
    replica: Start, redis: RealRedis
) -> None:
    async with replica(CAPPED | {"arms": {"holdout": 1.0}}) as service:
        redis.kill()
        answer = await service.decide()
        assert (answer["hold_reason"], answer["arm"]) == ("degraded", "holdout")


async def test_a_shopper_erased_long_ago_is_held_by_a_replica_that_only_caught_up(
    replica: Start, redis: RealRedis
) -> None:
    async with replica(CAPPED, policy="rule") as service:
        assert (await service.client.delete("/v1/shoppers/s-9")).status_code == 204
    async with replica(CAPPED, policy="rule") as service:
        redis.kill()
        assert (await service.decide(event_id="later", shopper_id="s-9"))["hold_reason"] == "degraded"


async def test_a_critical_trigger_gets_a_503_and_a_time_to_retry(replica: Start, redis: RealRedis) -> None:
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

        async def decide_often(number: int) -> None:
            for visit in range(40):
                event_id, shopper_id = f"k-{number}-{visit}", f"s-{(number + visit) % 25}"
                service = (one, two)[visit % 2]
                answers.append(await service.decide(event_id=event_id, shopper_id=shopper_id, now=iso(visit / 10)))
                if visit % 7 == 0 and answers[-1]["decision"] == "send":
                    await service.post("/v1/feedback", {"event_id": event_id, "type": "opt_out"})

        async def kill_redis_twice() -> None:
            for _ in range(2):
                await asyncio.sleep(0.15)
                redis.kill()
                await asyncio.sleep(0.1)
                await asyncio.to_thread(redis.start)
                await one.wait_until_ready()
                await two.wait_until_ready()

        await asyncio.gather(kill_redis_twice(), *(decide_often(number) for number in range(12)))
        assert "degraded" in {answer["hold_reason"] for answer in answers}
        sends: dict[str, int] = defaultdict(int)
        for stored in one.service.log.read(0, 1_000_000):
            row = decode(stored.body)
            if isinstance(row, DecisionRow) and row.send_at is not None:
                sends[row.shopper_id] += 1
        assert sends
        # An opt-out may void a send ahead and so free its place under the cap: one more send per opt-out is allowed.
        opt_outs = sum(row.kind == "outcome" for row in one.service.log.read(0, 1_000_000))
        assert sum(max(0, count - 2) for count in sends.values()) <= opt_outs
        await assert_state_agrees_with_log(one)
        await assert_state_agrees_with_log(two)


async def test_an_opt_out_while_the_state_is_away_is_accepted_and_applies_afterwards(
    replica: Start, redis: RealRedis
) -> None:
    async with replica(policy="rule") as service:
        channel = (await service.decide())["action"]["channel"]
        redis.kill()
        answer = await service.post("/v1/feedback", {"event_id": "e-1", "type": "opt_out"})
        assert (answer.status_code, answer.json()["results"]) == (202, [{"status": "accepted"}])
        redis.start()
        await service.wait_until_ready()
        answer_after = await service.decide(event_id="e-2")
        reasons = {entry["reason"] for entry in answer_after["excluded"] if entry["channel"] == channel}
        assert "no_consent" in reasons <= {"no_consent", "no_content"}
