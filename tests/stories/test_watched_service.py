"""What an operator sees of the running service with two replicas, before, during and after faults.

The service is shared with `tests.stories.test_whole_service`, which goes on with it and kills it.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.decision_service.runtime.started import processes_of
from tests.stories.whole_service import START, WholeService

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("service"), pytest.mark.anyio]

GAUGES = ("model_version", "state_trusted", "clock_lead_seconds")
_SOON_S = 5.0
_LATER_S = 60.0


class Watched:
    """The service as its operator sees it."""

    def __init__(self, service: WholeService, client: httpx2.AsyncClient) -> None:
        self.service, self.client = service, client

    def find(self, part: str) -> list[psutil.Process]:
        run = self.service.run()
        return [one for one in processes_of(run) if part in " ".join([one.name(), *one.cmdline()])]

    @property
    def replicas(self) -> list[psutil.Process]:
        return self.find("ServeReplica:decision-service:replica")

    @property
    def log(self) -> str:
        return self.service.data.service_log.read_text()

    async def gauges(self) -> tuple[float, ...]:
        """Read the gauges, each time on a new connection: any replica may answer."""
        async with self.service.client() as client:
            text = (await client.get("/metrics")).text
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        assert all(name.startswith("decision_service_") for name in values)
        return tuple(float(values[f"decision_service_{name}"]) for name in GAUGES)

    async def status(self, path: str) -> int:
        async with self.service.client() as client:
            return (await client.get(path)).status_code

    async def decide(self, event_id: str, **headers: str) -> httpx2.Response:
        triggers = [{"type": "cart_abandoned"}]
        body = {"event_id": event_id, "shopper_id": event_id, "triggers": triggers, "now": START.isoformat()}
        return await self.client.post("/v1/decide", json=body, headers=headers)


async def wait_for(is_true: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    for _ in range(int(seconds / 0.2)):
        if await is_true():
            return True
        await asyncio.sleep(0.2)
    return await is_true()


async def is_ready(service: WholeService) -> bool:
    """Return whether the service answers; while its ingress restarts there may be nobody who accepts."""
    try:
        async with service.client() as client:
            return (await client.get("/readyz")).status_code == 200
    except httpx2.TransportError:
        return False


@contextmanager
def full_disk(processes: list[psutil.Process], directory: Path) -> Any:
    """Let no file of these processes grow beyond the size of the log's, as on a disk without room."""
    size = max(path.stat().st_size for path in directory.glob("decisions.sqlite*"))
    for process in processes:
        process.rlimit(psutil.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for process in processes:
            process.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def test_an_operator_sees_each_fault_while_it_lasts_and_no_longer(whole_service: WholeService) -> None:
    async with whole_service.client() as client:
        watched = Watched(whole_service, client)

        async def are_gauges(*expected: float) -> bool:
            return {await watched.gauges() for _ in range(6)} == {expected}

        assert await wait_for(lambda: are_gauges(0, 1, 0), _SOON_S)

        (redis,) = watched.find("redis-server")
        redis.suspend()
        assert await wait_for(lambda: are_gauges(0, 0, 0), _LATER_S)
        assert await watched.status("/readyz") == 503
        names = [f"WARNING replica/{one.pid} " for one in watched.replicas]
        assert len(names) == 2

        async def is_logged() -> bool:
            return all(name in watched.log for name in names)

        assert await wait_for(is_logged, _SOON_S), watched.log
        redis.resume()
        assert await wait_for(lambda: are_gauges(0, 1, 0), _LATER_S)

        killed, _ = watched.replicas
        killed.kill()

        async def is_replaced() -> bool:
            pids = {one.pid for one in watched.replicas}
            return len(pids) == 2 and killed.pid not in pids and await watched.status("/readyz") == 200

        assert await wait_for(is_replaced, _LATER_S)
        assert await wait_for(lambda: are_gauges(0, 1, 0), _LATER_S)
        assert f"WARNING replica/{killed.pid} " in watched.log
        assert (await watched.decide("fine")).status_code == 200

        with full_disk(watched.replicas, whole_service.data.path):
            statuses = [(await watched.decide(f"full-{n}", **{"x-request-id": f"r-{n}"})).status_code for n in range(4)]
            assert statuses == [503] * 4
            assert await watched.status("/readyz") == 503

            async def is_named() -> bool:  # of equal records of one replica, the first one names its request
                return "[r-0] decision_service.api.routing: decide: the log cannot be written" in watched.log

            assert await wait_for(is_named, _SOON_S), watched.log
        assert await watched.status("/readyz") == 200
        assert (await watched.decide("fine again")).status_code == 200

        for manager in [*watched.find("HAProxyManager"), *watched.find("haproxy -db")]:
            manager.kill()

        async def is_ingress_logged() -> bool:
            files = whole_service.data.serve_logs.glob("*.log")
            return any(" ERROR " in f" {file.read_text()}" or "WARNING" in file.read_text() for file in files)

        assert await wait_for(is_ingress_logged, _SOON_S)
    assert await wait_for(lambda: is_ready(whole_service), _LATER_S)
