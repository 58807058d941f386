"""Many clients on few shoppers over two replicas, under every rule: a small run of `python -m benchmarks chaos`."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import RealRedis
from tests.decision_service.conftest import Replica, Start
from tests.reference.chaos.catalogue import BEGIN, DAY_S, document
from tests.reference.chaos.crowd import Crowd
from tests.reference.chaos.proof import Proof, prove
from tests.stories.test_recovery import until_ready

pytestmark = pytest.mark.anyio


TIGHT = document(sms_budget=0.15)


def crowd_of(*replicas: Replica, shoppers: int = 12) -> Crowd:
    return Crowd([replica.client for replica in replicas], begin=BEGIN, shoppers=shoppers, at_once=40, seed=1)


async def wait_and_prove(one: Replica, redis: RealRedis) -> Proof:
    await until_ready(one)
    async with asyncio.timeout(30):
        while await one.service.store.position() < one.rows():
            await asyncio.sleep(0.05)
    return await prove(one.service.log, redis.url)


async def test_no_rule_breaks_and_log_and_state_store_agree(replica: Start, redis: RealRedis) -> None:
    async with replica(TIGHT, policy="uniform") as one, replica(policy="uniform") as two:
        crowd = crowd_of(one, two)
        for _ in range(8):
            await crowd.round(150)
            await crowd.advance_clock()
        proof = await wait_and_prove(one, redis)
    assert proof.holds, proof
    assert proof.sends > 100
    assert crowd.answers.differing_repeats == 0
    assert {status for _, status in crowd.answers.calls} <= {200, 202, 204, 404, 409, 410}
    unseen = {reason for reason, count in proof.reasons.items() if count == 0}
    assert unseen <= {"holdout", "unreachable"}, "a rule that never bound proves nothing"


async def test_redis_killed_under_load_nothing_is_sent_unguarded(replica: Start, redis: RealRedis) -> None:
    async with replica(TIGHT, policy="uniform") as one, replica(policy="uniform") as two:
        # So many shoppers that some always have room under the caps: sends must resume.
        crowd = crowd_of(one, two, shoppers=100)
        for _ in range(2):
            under_way = asyncio.create_task(crowd.round(250))
            await asyncio.sleep(0.3)
            redis.kill()
            await asyncio.sleep(0.2)
            await asyncio.to_thread(redis.start)
            await under_way
            await until_ready(one)
            await until_ready(two)
            await crowd.advance_clock()
        degraded, sent = crowd.answers.decides["degraded"], crowd.answers.decides["send"]
        crowd.begin += 2 * DAY_S  # there is room under the caps again
        async with asyncio.timeout(60):
            while crowd.answers.decides["send"] < sent + 20:  # by themselves, once all replicas agree that it is back
                await crowd.round(40)
        await crowd.advance_clock()
        proof = await wait_and_prove(two, redis)
    assert proof.holds, proof
    assert degraded > 0
