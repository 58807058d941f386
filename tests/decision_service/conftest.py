"""Replicas for tests: the real application with a real Redis and a real SQLite, in this process and without Ray."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import fastapi.dependencies.models
import httpx2
import pytest
import yaml

from decision_service.api.application import build_api
from decision_service.app import Service, open_learner, open_log, open_registry
from decision_service.learning.fleet import LocalFleet
from decision_service.learning.learner import Learner
from decision_service.learning.serving import Serving
from decision_service.settings import Settings
from tests.conftest import RealRedis
from tests.decision_service import documented


class Replica:
    """A running replica, its learner, and an HTTP client that is connected to it."""

    def __init__(self, service: Service, client: httpx2.AsyncClient, learner: Learner) -> None:
        self.service = service
        self.client = client
        self.learner = learner

    async def post(self, path: str, body: Any) -> httpx2.Response:
        return await self.client.post(path, json=body)

    async def decide(self, **body: Any) -> dict[str, Any]:
        answer = await self.post("/v1/decide", decide_body(**body))
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def rows(self) -> int:
        """Return how many rows the log has."""
        return self.service.log.head().position

    async def wait_until_ready(self) -> None:
        """Wait until the replica can send, after a start or after Redis came back."""
        async with asyncio.timeout(60):
            while (await self.client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.02)


def decide_body(**changes: Any) -> dict[str, Any]:
    """The body of a decide request; a field that is changed to None is absent."""
    body: dict[str, Any] = {
        "event_id": "e-1",
        "shopper_id": "s-1",
        "triggers": [{"type": "cart_abandoned"}],
        "now": "2026-11-21T17:00:00Z",
    } | changes
    return {name: value for name, value in body.items() if value is not None}


Start = Callable[..., AbstractAsyncContextManager[Replica]]


@pytest.fixture(autouse=True)
def _no_replica_stays() -> Iterator[None]:
    """Clear FastAPI's caches: they keep the endpoints of every replica alive, and with them megabytes of weights."""
    yield
    for value in vars(fastapi.dependencies.models).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


@pytest.fixture(scope="session")
def empty_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with new databases. Their migration takes as long as many a test."""
    directory = tmp_path_factory.mktemp("empty")
    settings = Settings.load({"data_dir": directory}, {})
    open_log(settings).close()
    open_registry(settings).close()
    return directory


@pytest.fixture
def replica(tmp_path: Path, redis: RealRedis, empty_databases: Path) -> Start:
    """Return a function that starts a replica. All replicas of a test use the same data directory and Redis."""

    @asynccontextmanager
    async def start(catalogue: Mapping[str, Any] | None = None, **options: Any) -> AsyncIterator[Replica]:
        if "data_dir" not in options and not any(tmp_path.glob("*.sqlite")):
            for database in empty_databases.glob("*.sqlite"):
                shutil.copyfile(database, tmp_path / database.name)
        if catalogue is not None:
            options["catalog"] = tmp_path / "catalogue.yaml"
            options["catalog"].write_text(yaml.safe_dump(dict(catalogue)))
        defaults = {"data_dir": tmp_path, "redis_url": redis.url, "clock": "request", "seed": 1}
        settings = Settings.load(defaults | options, {})
        learner = open_learner(settings)

        def fleet(versions: Serving) -> LocalFleet:
            return LocalFleet(learner, versions)

        service = Service(settings, fleet)
        app = build_api(service)
        try:
            async with (
                app.app.router.lifespan_context(app.app),
                httpx2.AsyncClient(
                    transport=httpx2.ASGITransport(app),
                    base_url="http://service",
                    event_hooks={"response": [documented.check]},
                ) as client,
            ):
                yield Replica(service, client, learner)
        finally:
            learner.stop()

    return start
