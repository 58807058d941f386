"""A stress run on the real service: many clients, then the same while Redis is killed; then an audit of the log."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import yaml

from benchmarks.running_service import run_service
from decision_service.cli.measurements import Measured
from decision_service.database.sqlite_url import make_url
from decision_service.log.sql import SqlLog
from decision_service.runtime.embedded_redis import EmbeddedRedis
from tests.reference.chaos.catalogue import BEGIN, FIRST_NAMES, OTHER_NAMES, document
from tests.reference.chaos.crowd import Crowd
from tests.reference.chaos.proof import Proof, prove

_DECIDES_A_ROUND = 1_000
_AWAY_S = 1.0


@dataclass(frozen=True)
class Plan:
    """The size of a run."""

    decides: int
    shoppers: int
    at_once: int
    replicas: int
    renames: int
    kills: int
    policy: str
    seed: int


@dataclass(frozen=True)
class ChaosResult:
    """The measurements, and every broken promise with its cause."""

    results: list[Measured]
    broken: dict[str, object]


def measure(plan: Plan, data_dir: Path | None = None) -> ChaosResult:
    """Run, and audit the log; ``data_dir`` keeps the log, so that a failure can be examined."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        return asyncio.run(_run(plan, Path(directory), data_dir or Path(directory) / "data"))


async def _run(plan: Plan, directory: Path, data_dir: Path) -> ChaosResult:
    catalogue = directory / "catalogue.yaml"
    catalogue.write_text(yaml.safe_dump(document()), encoding="utf-8")
    with EmbeddedRedis(directory / "r.sock", directory / "redis.log", directory / "redis") as redis:
        options = {
            "clock": "request",
            "replicas": plan.replicas,
            "seed": plan.seed,
            "policy": plan.policy,
            "catalog": catalogue,
            "redis-url": redis.url,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        with run_service(*words, data_dir=data_dir) as url:
            async with AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(_client(url)) for _ in range(plan.at_once)]
                crowd = Crowd(
                    clients,
                    begin=BEGIN,
                    shoppers=plan.shoppers,
                    at_once=plan.at_once,
                    seed=plan.seed,
                    documents=(
                        document(names=OTHER_NAMES, former=FIRST_NAMES),
                        document(names=FIRST_NAMES, former=OTHER_NAMES),
                    ),
                )
                calm = await _measure_calm(crowd, plan)
                stormy = await _measure_storm(crowd, clients[0], redis, plan)
        log = SqlLog.open(make_url(data_dir / "decisions.sqlite"))
        try:
            proof = await prove(log, redis.url)
        finally:
            log.close()
    return ChaosResult([*calm, *stormy, *_proof_measurements(proof)], _find_broken_promises(crowd, proof))


def _client(url: str) -> httpx2.AsyncClient:
    """Return a client with one connection: a pool of hundreds of connections wastes time with searching the pool."""
    return httpx2.AsyncClient(base_url=url, timeout=120.0, verify=False)  # plain HTTP on this machine


async def _measure_calm(crowd: Crowd, plan: Plan) -> list[Measured]:
    rounds = -(-plan.decides // _DECIDES_A_ROUND)
    for number in range(rounds):
        await crowd.round(min(_DECIDES_A_ROUND, plan.decides))
        await crowd.advance_clock()
        if (number + 1) * plan.renames // rounds > number * plan.renames // rounds:
            await crowd.rename()
    answers = crowd.answers
    made = sum(answers.decides.values())
    return [
        Measured("chaos.decides", made, unit="decides"),
        Measured("chaos.decides_per_s", made / answers.seconds, unit=f"decides/s with {plan.at_once} clients"),
        Measured("chaos.calls", sum(answers.calls.values()), unit="calls"),
        Measured("chaos.renames", answers.renames, unit="catalogues with other names"),
        Measured("chaos.gates_asked_again", answers.gates_asked_again, unit="calls"),
        *(Measured(f"chaos.decides.{name}", count, unit="decides") for name, count in sorted(answers.decides.items())),
        *(
            Measured(f"chaos.calls.{name}.{status}", count, unit="calls")
            for (name, status), count in sorted(answers.calls.items())
        ),
    ]


async def _measure_storm(crowd: Crowd, client: httpx2.AsyncClient, redis: EmbeddedRedis, plan: Plan) -> list[Measured]:
    """Kill Redis in the middle of rounds, and wait each time until the service has recovered by itself."""
    before = crowd.answers.decides.copy()
    resumed = []
    for _ in range(plan.kills):
        under_load = asyncio.create_task(crowd.round(2 * _DECIDES_A_ROUND))
        resumed.append(await kill(redis_pid=redis.pid, revive=redis.revive, is_ready=_make_ready(client)))
        await under_load
        await crowd.round(_DECIDES_A_ROUND)
        await crowd.advance_clock()
    during = crowd.answers.decides - before
    return [
        Measured("chaos.redis.kills", plan.kills, unit="kills"),
        Measured("chaos.redis.decides", sum(during.values()), unit="decides"),
        *(Measured(f"chaos.redis.decides.{name}", count, unit="decides") for name, count in sorted(during.items())),
        Measured("chaos.redis.ready_again_s", max(resumed, default=0.0), unit="s after the restart, at most"),
    ]


async def kill(redis_pid: int | None, revive: Callable[[], bool], is_ready: Callable[[], Awaitable[bool]]) -> float:
    """Kill Redis under load and start it again; return the seconds from the start until the service is ready."""
    await asyncio.sleep(_AWAY_S)
    if redis_pid is not None:
        os.kill(redis_pid, signal.SIGKILL)
    await asyncio.sleep(_AWAY_S)
    await asyncio.to_thread(revive)
    clock = asyncio.get_running_loop().time
    begin = clock()
    while not await is_ready():
        await asyncio.sleep(0.05)
    return clock() - begin


def _make_ready(client: httpx2.AsyncClient) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        return (await client.get("/readyz")).status_code == 200

    return ready


def _proof_measurements(proof: Proof) -> list[Measured]:
    return [
        Measured("chaos.rows", proof.rows, unit="rows in the log"),
        Measured("chaos.sends", proof.sends, unit="sends"),
        Measured("chaos.left_early", proof.left_early, unit="sends that left before their send time"),
        Measured("chaos.superseded", proof.superseded, unit="sends whose trigger ended"),
        Measured("chaos.erasures", proof.erasures, unit="shoppers"),
        Measured("chaos.places", proof.reservations, unit="places taken at the end"),
        Measured("chaos.violations", sum(proof.violations.values()), unit="found by the audit"),
        Measured("chaos.places_that_differ", len(proof.reservations_that_differ), unit="shoppers, log and state store"),
        Measured("chaos.states_that_differ", len(proof.states_that_differ), unit="shoppers, fold and state store"),
        Measured("chaos.budgets_that_differ", len(proof.budgets_that_differ), unit="budget days"),
        *(
            Measured(f"chaos.excluded.{name}", count, unit="joint actions")
            for name, count in sorted(proof.reasons.items())
        ),
    ]


def _find_broken_promises(crowd: Crowd, proof: Proof) -> dict[str, object]:
    allowed = {200, 202, 204, 404, 409, 410, 503}
    promises: dict[str, object] = {
        "violations": dict(proof.violations),
        "reservations": proof.reservations_that_differ,
        "states": proof.states_that_differ,
        "budgets": proof.budgets_that_differ,
        "repeats": crowd.answers.differing_repeats,
        "gates": crowd.answers.gates_opened_again,
        "statuses": {call: count for call, count in crowd.answers.calls.items() if call[1] not in allowed},
    }
    return {name: cause for name, cause in promises.items() if cause}
