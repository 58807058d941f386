"""The whole service as an operator runs it (Ray Serve, HAProxy, Redis, SQLite): killed under load, started again.

The tests share one service, which `tests.stories.test_watched_service` has used before, and the last one kills it.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import signal
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from decision_service.learning.registry.sql import SqlRegistry
from decision_service.log.sql import SqlLog
from policies.records.rows import DecisionRow, OutcomeRow, decode
from tests.decision_service.learning.test_learner import fold_at_once
from tests.decision_service.runtime.started import processes_of
from tests.stories.whole_service import CAP, START, WINDOW_S, WholeService, started_service

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("service"), pytest.mark.anyio]

SHOPPERS = 40


class Load:
    """Clients that ask for decisions and send feedback without pause, and record every acknowledged call."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._number = itertools.count()
        self._name = f"l{seed}"
        self.answers: dict[str, bytes] = {}
        self.feedback: set[tuple[str, str]] = set()
        self.now = START

    async def run(self, client: httpx2.AsyncClient, *, decisions: int) -> None:
        """Load the service until so many decisions are acknowledged, or the service dies."""
        workers = [asyncio.create_task(self._decide(client)) for _ in range(16)]
        clock = asyncio.create_task(self._advance_clock(client))
        while len(self.answers) < decisions and not all(worker.done() for worker in workers):
            await asyncio.sleep(0.01)
        for task in (*workers, clock):
            task.cancel()
        await asyncio.gather(*workers, clock, return_exceptions=True)

    async def _decide(self, client: httpx2.AsyncClient) -> None:
        while True:
            event_id = f"{self._name}-{next(self._number)}"
            body = {
                "event_id": event_id,
                "shopper_id": f"s-{self._random.randrange(SHOPPERS)}",
                "triggers": [{"type": self._random.choice(["cart_abandoned", "wishlist"])}],
                "now": self._time(),
            }
            answer = await client.post("/v1/decide", json=body)
            if answer.status_code != 200:
                continue
            self.answers[event_id] = answer.content
            decision = answer.json()
            if decision["decision"] == "send":
                await self._send_feedback(client, event_id, decision["send_at"])

    async def _send_feedback(self, client: httpx2.AsyncClient, event_id: str, at: str) -> None:
        kind = self._random.choices(["click", "ignore", "opt_out"], [5, 5, 0.2])[0]
        outcome = {"event_id": event_id, "feedback_id": "f", "type": kind, "at": at, "now": self._time()}
        answer = await client.post("/v1/feedback", json=outcome)
        if answer.status_code == 202:
            assert answer.json()["results"][0]["status"] in ("accepted", "late")
            self.feedback.add((event_id, kind))

    async def _advance_clock(self, client: httpx2.AsyncClient) -> None:
        while True:
            self.now += timedelta(hours=6)
            await client.post("/v1/clock", json={"now": self._time()})
            await asyncio.sleep(0.1)

    def _time(self) -> str:
        return self.now.isoformat()


def read_rows(service: WholeService) -> list[Any]:
    log = SqlLog.open(f"sqlite:///{service.data.path}/decisions.sqlite")
    rows = [decode(row.body) for row in log.read(0, 1_000_000)]
    log.close()
    return rows


def find_shoppers_over_the_cap(rows: list[Any]) -> list[str]:
    """Return the shoppers with more sends than the cap in some half-open window of the cap's length.

    An opt-out voids the shopper's other sends on its channel that have not left yet.
    """
    sends: dict[str, dict[str, DecisionRow]] = defaultdict(dict)
    for row in rows:
        if isinstance(row, DecisionRow) and row.send_at is not None:
            sends[row.shopper_id][row.event_id] = row
        elif isinstance(row, OutcomeRow) and row.type == "opt_out" and row.shopper_id is not None:
            for event_id, send in list(sends[row.shopper_id].items()):
                if send.channel == row.channel and (send.send_at or 0) > row.at and event_id != row.event_id:
                    del sends[row.shopper_id][event_id]
    return [
        shopper
        for shopper, by_event in sends.items()
        for begin in (send.send_at or 0 for send in by_event.values())
        if sum(begin <= (send.send_at or 0) < begin + WINDOW_S for send in by_event.values()) > CAP
    ]


async def count_sends(client: httpx2.AsyncClient) -> float:
    """Return how many sends the metrics count."""
    name = 'decision_service_decisions_total{decision="send",hold_reason=""} '
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


async def test_through_the_ingress_caps_ids_and_limits_hold(whole_service: WholeService) -> None:
    async with whole_service.client() as client:

        def body(event_id: str, shopper_id: str = "one") -> dict[str, Any]:
            return {
                "event_id": event_id,
                "shopper_id": shopper_id,
                "triggers": [{"type": "cart_abandoned"}],
                "now": START.isoformat(),
            }

        sends_before = await count_sends(client)
        answers = await asyncio.gather(*(client.post("/v1/decide", json=body(f"e-{n}")) for n in range(100)))
        assert Counter(answer.json()["decision"] for answer in answers)["send"] == CAP
        same = await asyncio.gather(*(client.post("/v1/decide", json=body("same", "two")) for _ in range(20)))
        assert len({answer.content for answer in same}) == 1
        assert sum("Idempotent-Replay" in answer.headers for answer in same) == 19
        large = await client.post("/v1/decide", content=b'{"shopper_id": "' + b"x" * (2 << 20) + b'"}')
        assert (large.status_code, large.headers["content-type"]) == (413, "application/problem+json")
        assert await count_sends(client) == sends_before + CAP + 1
        assert (await client.get("/readyz")).json()["fresh"] is False


# The HTTP client does not close a connection that a kill cuts during its start.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_killed_under_load_it_loses_nothing_acknowledged_repeats_nothing_and_stops_cleanly(
    whole_service: WholeService, short_temp_dir: Path
) -> None:
    load = Load(1)
    async with whole_service.client() as client:
        running = asyncio.create_task(load.run(client, decisions=1_000_000))
        while len(load.answers) < 1_500:
            assert not running.done(), "the load ended by itself"
            await asyncio.sleep(0.01)
        warned = whole_service.data.service_log.read_text()
        whole_service.kill()
        await running
    assert whole_service.data.service_log.read_text().startswith(warned)
    gc.collect()  # the warning about those connections may come here, and in no later test
    with started_service(whole_service.data.path, short_temp_dir) as again:
        assert "The last run was killed" in again.output
        rows = read_rows(again)
        logged = {row.event_id: row.answer.encode() for row in rows if isinstance(row, DecisionRow)}
        assert {event_id: logged.get(event_id) for event_id in load.answers} == load.answers
        assert load.feedback <= {(row.event_id, row.type) for row in rows if isinstance(row, OutcomeRow)}
        assert find_shoppers_over_the_cap(rows) == []

        more = Load(2)
        more.now = load.now
        async with again.client() as client:
            await more.run(client, decisions=1_000)
            repeated = await asyncio.gather(
                *(client.get(f"/v1/decisions/{event_id}") for event_id in list(load.answers)[::100])
            )
            assert all(answer.status_code == 200 for answer in repeated)
            end = (more.now + timedelta(days=10)).isoformat()
            assert (await client.post("/v1/clock", json={"now": end})).json()["version"] > 0
        run = again.run()
        assert again.signal_group(signal.SIGTERM) == 0
        assert again.output.endswith("Stopped")
        assert processes_of(run) == []
        assert not any(short_temp_dir.glob("decide-*"))
    files = sorted(path.name for path in again.data.path.iterdir() if path.is_file())
    assert {"decisions.sqlite", "models.sqlite"} <= set(files)
    assert not [name for name in files if name.endswith(("-wal", "-shm"))], "a database was not closed"
    rows = read_rows(again)
    assert find_shoppers_over_the_cap(rows) == []
    decisions = Counter(row.event_id for row in rows if isinstance(row, DecisionRow))
    assert set(decisions.values()) == {1}
    assert sum(isinstance(row, DecisionRow) and row.send_at is not None for row in rows) > SHOPPERS
    checkpoint = SqlRegistry.open(f"sqlite:///{again.data.path}/models.sqlite").checkpoint()
    whole = fold_at_once(SqlLog.open(f"sqlite:///{again.data.path}/decisions.sqlite"))
    assert whole.learned > 0
    assert checkpoint is not None
    assert checkpoint.payload == whole.to_bytes()
