"""The cost of a long log in a start, without Ray: seconds and CPU seconds of the parts that read the stores.

Ray takes most of the time of a start, and this time varies by more than the other parts take. So they are measured
without it.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from decision_service.app import Service, open_learner
from decision_service.cli.measurements import Measured
from decision_service.learning.fleet import LocalFleet
from decision_service.runtime.embedded_redis import EmbeddedRedis
from decision_service.runtime.start.stores import check_stores
from decision_service.settings import Settings


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock, and of CPU in this process and in Redis."""

    wall_s: float
    cpu_s: float


def measure(data: Path, rounds: int, say: Callable[[str], None]) -> list[Measured]:
    """Start Redis, check the stores, and start learner and replica, in turns on an empty directory and on ``data``."""
    pairs = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="empty-") as empty:
            pairs.append((_start(Path(empty), say), _start(data, say)))
    later = sorted(long.wall_s - empty.wall_s for empty, long in pairs)
    later_cpu = sorted(long.cpu_s - empty.cpu_s for empty, long in pairs)
    return [
        Measured("restart.parts.empty.s", statistics.median(empty.wall_s for empty, _ in pairs), unit="s without Ray"),
        Measured("restart.parts.snapshot.s", statistics.median(long.wall_s for _, long in pairs), unit="s without Ray"),
        Measured("restart.parts.later_s", statistics.median(later), later[0], later[-1], unit="s, in turns"),
        Measured(
            "restart.parts.later_cpu_s",
            statistics.median(later_cpu),
            later_cpu[0],
            later_cpu[-1],
            unit="CPU s",
        ),
    ]


def _start(data: Path, say: Callable[[str], None]) -> Cost:
    """Start everything but Ray and HTTP on a data directory, and stop it again."""
    with tempfile.TemporaryDirectory(prefix="r") as sockets:
        began, began_cpu = time.monotonic(), time.process_time()
        with EmbeddedRedis(Path(sockets) / "r", Path(sockets) / "redis.log", data / "redis") as redis:
            settings = Settings.load({"data_dir": str(data), "redis_url": redis.url}, {})
            check_stores(settings, say, redis)
            asyncio.run(_serve_once(settings))
            cost = Cost(time.monotonic() - began, time.process_time() - began_cpu + _cpu_of(redis))
    return cost


async def _serve_once(settings: Settings) -> None:
    learner = open_learner(settings)
    service = Service(settings, lambda versions: LocalFleet(learner, versions))
    await service.start()
    await service.stop()
    learner.stop()


def _cpu_of(redis: EmbeddedRedis) -> float:
    times = psutil.Process(redis.pid).cpu_times()
    return times.user + times.system
