"""What is measured on which service: the base point, one factor at a time from it, and an older version beside it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.ranges import median
from benchmarks.speed.serving.points import Measurer, Point, Say, measure_in_turns
from benchmarks.speed.serving.series import per_s
from benchmarks.speed.serving.target import Setup, start
from benchmarks.speed.serving.window import Window

_ROW_BYTES = 2_048
_SYNCS = 100
_OPEN_CONNECTIONS = 64
_BATCH_CONNECTIONS = 4

NOOP_16 = Point("noop.16", 16, batch=None)
SINGLE_16 = Point("single.16", 16)
RAW_16 = Point("raw.16", 16, batch=None, is_raw=True)
BATCH_100 = Point("batch100", _BATCH_CONNECTIONS, batch=100)

BASE = (
    NOOP_16,
    SINGLE_16,
    RAW_16,
    Point("noop.64", 64, batch=None),
    Point("single.64", 64),
    Point("noop.1", 1, batch=None),
    Point("single.1", 1),
    Point("single.1.beside_batch1000", 1, beside=1_000),
    BATCH_100,
    Point("batch1000", 2, batch=1_000),
    Point("single.16.new_shoppers", 16, shoppers=1_000_000),
)


@dataclass(frozen=True)
class Scene:
    """A service and its points.

    Attributes
    ----------
    name
        Its name in tables.
    setup
        What is started.
    points
        What is measured on it.
    shoppers
        How many shoppers it knows.
    warm_up
        Decisions that are made before; None for those of the run.
    """

    name: str
    setup: Setup
    points: tuple[Point, ...]
    shoppers: int = 10_000
    warm_up: int | None = None


FACTORS = (
    Scene("240", Setup(messages=16), (NOOP_16, SINGLE_16, BATCH_100)),
    Scene("1000", Setup(messages=40, channels=5), (NOOP_16, SINGLE_16, BATCH_100)),
    Scene("replicas2", Setup(replicas=2), (NOOP_16, SINGLE_16, BATCH_100)),
    Scene("serve_proxy", Setup(proxy="serve"), (NOOP_16, RAW_16, SINGLE_16)),
)
KNOWN_MILLION = Scene(
    "1m_shoppers",
    Setup(),
    (NOOP_16, Point("single.16", 16, shoppers=1_000_000)),
    shoppers=1_000_000,
    warm_up=1_000_000,
)

OLD_POINTS = (Point("single.1", 1), SINGLE_16, Point("single.64", 64), Point("batch90", _BATCH_CONNECTIONS, batch=90))
NEW_POINTS = (Point("single.1", 1), SINGLE_16, Point("single.64", 64), BATCH_100)


@dataclass(frozen=True)
class Size:
    """How much is measured: rounds, the seconds of each load, and the decisions before the first."""

    rounds: int
    seconds: float
    warm_up: int
    seed: int


@dataclass(frozen=True)
class Measurements:
    """The windows of a scene by point, and what else was measured in the same rounds.

    Attributes
    ----------
    windows
        Point → one window per round.
    fsync_ms
        The 99 % quantile of writing 2 kB to the disk of the log, one per round; empty where it was not measured.
    memory_mb
        Role → MiB at the end.
    disk_bytes
        Of the log, after the service has stopped.
    rows
        Decisions in the log.
    """

    windows: dict[str, list[Window]]
    fsync_ms: list[float]
    memory_mb: dict[str, float]
    disk_bytes: int
    rows: int


def measure_base(size: Size, directory: Path, say: Say, beside: Callable[[], object]) -> Measurements:
    """Measure the base point, and afterwards the latency at half of its capacity.

    Parameters
    ----------
    beside
        What else is measured once per round.
    """
    fsync_ms: list[float] = []
    with start(Setup(), directory, size.seed) as target:
        measurer = Measurer(target, size.seconds)
        measurer.warm_up(10_000, size.warm_up)
        windows = measure_in_turns([(measurer, point) for point in BASE], size.rounds, say, [beside])
        rate = median("", [per_s(window) for window in windows["single.64"]], "").value / 2
        say(f"  latency at {rate:,.0f} requests/s, half of the capacity")
        points = [
            (measurer, Point("noop.half", _OPEN_CONNECTIONS, batch=None, rate=rate)),
            (measurer, Point("single.half", _OPEN_CONNECTIONS, rate=rate)),
        ]
        sync = lambda: fsync_ms.append(time_fsync(target.data_dir))  # noqa: E731
        windows |= measure_in_turns(points, size.rounds, say, [sync])
        memory = measurer.memory_mb()
    return Measurements(windows, fsync_ms, memory, log_bytes(target.data_dir), target.decisions)


def measure_scene(scene: Scene, size: Size, directory: Path, say: Say) -> Measurements:
    """Measure the points of a scene in turns."""
    with start(scene.setup, directory, size.seed) as target:
        measurer = Measurer(target, size.seconds)
        measurer.warm_up(scene.shoppers, size.warm_up if scene.warm_up is None else scene.warm_up)
        windows = measure_in_turns([(measurer, point) for point in scene.points], size.rounds, say)
        memory = measurer.memory_mb()
    return Measurements(windows, [], memory, log_bytes(target.data_dir), target.decisions)


def measure_against(checkout: Path, size: Size, directory: Path, say: Say) -> dict[str, list[Window]]:
    """Measure this checkout and an older one in turns; the older one's points are named ``old.…``."""
    with ExitStack() as stack:
        old, new = (
            stack.enter_context(start(setup, directory / name, size.seed))
            for name, setup in (("old", Setup(checkout=checkout)), ("new", Setup()))
        )
        measurers = Measurer(old, size.seconds), Measurer(new, size.seconds)
        for measurer in measurers:
            measurer.warm_up(10_000, size.warm_up // 3)
        points = [
            measured
            for before, now in zip(OLD_POINTS, NEW_POINTS, strict=True)
            for measured in ((measurers[0], _rename(before)), (measurers[1], now))
        ]
        return measure_in_turns(points, size.rounds, say)


def _rename(point: Point) -> Point:
    return Point(f"old.{point.name}", point.connections, batch=point.batch)


def time_fsync(directory: Path) -> float:
    """Write 2 kB to a file and to the disk again and again; return the 99 % quantile in milliseconds."""
    path, block, times = directory / "fsync", os.urandom(_ROW_BYTES), []
    with path.open("wb") as file:
        for _ in range(_SYNCS):
            begin = time.perf_counter()
            file.write(block)
            file.flush()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begin)
    path.unlink()
    return sorted(times)[_SYNCS * 99 // 100 - 1] * 1_000


def log_bytes(data_dir: Path) -> int:
    """Return the size of the log on disk."""
    return sum(path.stat().st_size for path in data_dir.glob("decisions.sqlite*"))
