"""A disk that is full: the service says that it is not ready as long as no row can be written."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.decision_service.conftest import Start, decide_body

pytestmark = pytest.mark.anyio


@contextmanager
def full_disk(directory: Path) -> Iterator[None]:
    """Let no file of this process grow beyond the size of the log's, as on a disk without room."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = max(path.stat().st_size for path in directory.glob("decisions.sqlite*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_it_is_ready_only_while_rows_can_be_written(replica: Start, tmp_path: Path) -> None:
    async with replica(policy="rule") as service:
        await service.wait_until_ready()
        with full_disk(tmp_path):
            assert (await service.post("/v1/decide", decide_body())).status_code == 503
            answer = await service.client.get("/readyz")
            assert (answer.status_code, answer.json()["detail"]) == (503, "cannot decide: log is away")
            assert (await service.client.get("/healthz")).status_code == 200
        assert (await service.client.get("/readyz")).status_code == 200
        assert (await service.decide())["decision"] == "send"


async def test_readiness_asks_where_the_work_writes_before_any_work_fails(replica: Start, tmp_path: Path) -> None:
    async with replica(policy="rule") as service:
        await service.wait_until_ready()
        service.service.log_writer._written_at = 0.0  # nothing was written for a while
        with full_disk(tmp_path):
            assert (await service.client.get("/readyz")).status_code == 503
        assert (await service.client.get("/readyz")).status_code == 200
