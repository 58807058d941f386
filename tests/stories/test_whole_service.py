"""The whole service as an operator runs it (Ray Serve, HAProxy, Redis, SQLite): killed under load, started again."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import shutil
import signal
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
import yaml

from decision_service.learning.registry.sql import SqlRegistry
from decision_service.log.sql import SqlLog
from decision_service.runtime import leftovers
from policies.records.rows import DecisionRow, OutcomeRow, decode
from tests.decision_service.learning.test_learner import fold_at_once
from tests.decision_service.runtime.started import Started, processes_of
from tests.factories import DAY_S, small_document

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("service"), pytest.mark.anyio]

START = datetime(2026, 11, 21, tzinfo=UTC)
CAP, WINDOW_S = 3, 2 * DAY_S
SHOPPERS = 40


class WholeService(Started):
    """The real service on a request clock, with two replicas."""

    def __init__(self, data_dir: Path, temp_dir: Path) -> None:
        catalogue = data_dir.with_suffix(".yaml")
        catalogue.write_text(yaml.safe_dump(small_document(caps=[{"max": CAP, "window_s": int(WINDOW_S)}])))
        options = ["--clock", "request", "--replicas", "2", "--seed", "7", "--catalog", str(catalogue)]
        super().__init__(data_dir, temp_dir, serve=options)

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.run().url, timeout=30)

    def kill(self) -> None:
        """Kill every process of the run at once, as a power cut would."""
        processes = [*leftovers.find_processes(self.run().token), psutil.Process(self.process.pid)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=10)
        self.exit_code()


@pytest.fixture
def temp_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def service(tmp_path: Path, temp_dir: Path) -> Iterator[WholeService]:
    started = WholeService(tmp_path / "data", temp_dir)
    try:
        started.await_line("is ready")
        yield started
    finally:  # also of a start that takes too long
        if started.process.poll() is None:
            started.signal_group(signal.SIGTERM)


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


# The HTTP client does not close a connection that a kill cuts during its start.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_killed_under_load_nothing_acknowledged_is_lost_and_nothing_happens_twice(
    service: WholeService, temp_dir: Path
) -> None:
    load = Load(1)
    async with service.client() as client:
        running = asyncio.create_task(load.run(client, decisions=1_000_000))
        while len(load.answers) < 1_500:
            assert not running.done(), "the load ended by itself"
            await asyncio.sleep(0.01)
        service.kill()
        await running
    gc.collect()  # the warning about those connections may come here, and in no later test
    again = WholeService(service.data.path, temp_dir)
    again.await_line("is ready")
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
    assert again.signal_group(signal.SIGINT) == 0
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


async def test_through_the_ingress_caps_ids_and_limits_hold_and_a_stop_leaves_nothing(service: WholeService) -> None:
    run = service.run()
    async with service.client() as client:

        def body(event_id: str, shopper_id: str = "one") -> dict[str, Any]:
            return {
                "event_id": event_id,
                "shopper_id": shopper_id,
                "triggers": [{"type": "cart_abandoned"}],
                "now": START.isoformat(),
            }

        answers = await asyncio.gather(*(client.post("/v1/decide", json=body(f"e-{n}")) for n in range(100)))
        assert Counter(answer.json()["decision"] for answer in answers)["send"] == CAP
        same = await asyncio.gather(*(client.post("/v1/decide", json=body("same", "two")) for _ in range(20)))
        assert len({answer.content for answer in same}) == 1
        assert sum("Idempotent-Replay" in answer.headers for answer in same) == 19
        large = await client.post("/v1/decide", content=b'{"shopper_id": "' + b"x" * (2 << 20) + b'"}')
        assert (large.status_code, large.headers["content-type"]) == (413, "application/problem+json")
        metrics = (await client.get("/metrics")).text
        assert f'decision_service_decisions_total{{decision="send",hold_reason=""}} {CAP + 1}.0' in metrics
        assert (await client.get("/readyz")).json()["fresh"] is False
    assert service.signal_group(signal.SIGTERM) == 0
    assert processes_of(run) == []
    files = sorted(path.name for path in service.data.path.iterdir() if path.is_file())
    assert {"decisions.sqlite", "models.sqlite"} <= set(files)
    assert not [name for name in files if name.endswith(("-wal", "-shm"))], "a database was not closed"
