"""Many clients, few shoppers, two replicas and every guardrail: a small run of `python -m benchmarks chaos`."""

from __future__ import annotations

import asyncio

import pytest

from policies.records.reasons import Reason
from tests.conftest import RealRedis
from tests.decision_service.conftest import Replica, Start
from tests.reference.chaos.catalogue import BEGIN, DAY_S, FIRST_NAMES, OTHER_NAMES, document
from tests.reference.chaos.crowd import Crowd
from tests.reference.chaos.proof import Proof, prove

pytestmark = pytest.mark.anyio

TIGHT_BUDGET = document(sms_budget=0.15)
REASONS = {reason.name for reason in Reason} - {"eligible", "not_a_candidate", "holdout", "unreachable"}
"""Why joint actions are excluded; the catalogue has no holdout, and few shoppers are unreachable."""
RENAMED = (document(0.15, OTHER_NAMES, former=FIRST_NAMES), document(0.15, FIRST_NAMES, former=OTHER_NAMES))


def crowd_of(*replicas: Replica, shoppers: int = 12) -> Crowd:
    clients = [replica.client for replica in replicas]
    return Crowd(clients, begin=BEGIN, shoppers=shoppers, at_once=40, seed=1, documents=RENAMED)


async def wait_and_prove(service: Replica, redis: RealRedis) -> Proof:
    await service.wait_until_ready()
    async with asyncio.timeout(30):
        while await service.service.store.position() < service.rows():
            await asyncio.sleep(0.05)
    return await prove(service.service.log, redis.url)


def has_met_everything(crowd: Crowd) -> bool:
    """Return whether every guardrail has excluded, gates were asked early and again, and a shopper was erased."""
    answers = crowd.answers
    asked = min(answers.gates_opened_early, answers.gates_asked_again, answers.calls["erase", 204])
    return answers.excluded >= REASONS and asked > 0


async def test_no_rule_breaks_and_log_and_state_store_agree(replica: Start, redis: RealRedis) -> None:
    async with replica(TIGHT_BUDGET, policy="uniform") as one, replica(policy="uniform") as two:
        crowd = crowd_of(one, two)
        rounds = 0
        while rounds < 8 or not (rounds == 30 or has_met_everything(crowd)):
            rounds += 1
            await crowd.round(150)
            await crowd.advance_clock()
            await crowd.rename()
        proof = await wait_and_prove(one, redis)
    assert proof.holds, proof
    assert proof.sends > 100
    assert min(proof.left_early, proof.superseded, proof.erasures, crowd.answers.gates_asked_again) > 0
    assert (crowd.answers.differing_repeats, crowd.answers.gates_opened_again) == (0, 0)
    assert {call for call in crowd.answers.calls if call[1] not in {200, 202, 204, 404, 409, 410}} == set()
    unused = {reason for reason in REASONS if proof.reasons[reason] == 0}
    assert unused == set(), "a guardrail that excluded nothing was not tested"


async def test_redis_killed_under_load_nothing_is_sent_unguarded(replica: Start, redis: RealRedis) -> None:
    async with replica(TIGHT_BUDGET, policy="uniform") as one, replica(policy="uniform") as two:
        # With 100 shoppers, some are always below their caps: sends must resume.
        crowd = crowd_of(one, two, shoppers=100)
        for _ in range(2):
            round_task = asyncio.create_task(crowd.round(250))
            await asyncio.sleep(0.3)
            redis.kill()
            await asyncio.sleep(0.2)
            await asyncio.to_thread(redis.start)
            await round_task
            await one.wait_until_ready()
            await two.wait_until_ready()
            await crowd.advance_clock()
        degraded, sent = crowd.answers.decides["degraded"], crowd.answers.decides["send"]
        crowd.begin += 2 * DAY_S  # shoppers are below their caps again
        async with asyncio.timeout(60):
            # Sends resume without any intervention, as soon as both replicas have seen that Redis is back.
            while crowd.answers.decides["send"] < sent + 20:
                await crowd.round(40)
        await crowd.advance_clock()
        proof = await wait_and_prove(two, redis)
    assert proof.holds, proof
    assert degraded > 0
