"""The named results of ``benchmarks decide``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.speed.ranges import median
from benchmarks.speed.serving.points import Series
from benchmarks.speed.serving.scenes import Measurements
from benchmarks.speed.serving.series import Quantity, p50_ms, p99_ms, per_s, ratio, replica_us
from benchmarks.speed.serving.window import Window
from decision_service.cli.measurements import Measured

_WALL = "decisions/s ÷ requests/s of the no-op route"
_CPU = "CPU of the no-op route per request ÷ CPU per decision, in the replica"


def base_results(base: Measurements) -> Iterator[Measured]:
    """Yield the results of the base point: 60 joint actions, 10,000 shoppers, one replica."""
    windows = base.windows
    yield from _beside_noop("decide.single", windows, "single.16", "noop.16", "16 connections")
    yield from _beside_noop("decide.single.64", windows, "single.64", "noop.64", "64 connections")
    yield from _beside_noop("decide.single.1", windows, "single.1", "noop.1", "1 connection")
    new = "single.16.new_shoppers"
    yield from _beside_noop("decide.single.new_shoppers", windows, new, "noop.16", "of 1,000,000 shoppers, most new")
    for batch, connections in (("batch100", 4), ("batch1000", 2)):
        yield from _beside_noop(f"decide.{batch}", windows, batch, "noop.16", f"batches on {connections} connections")
    yield ratio(
        "decide.single.cpu_ratio_to_raw",
        windows["raw.16"],
        windows["single.16"],
        replica_us,
        "as cpu_ratio_to_noop, beside a route without FastAPI",
    )
    yield from _latencies(base)
    yield _little(windows)
    yield Measured("decide.row_bytes", base.disk_bytes / base.rows, unit="bytes on disk per decision, all indexes")
    yield from (
        Measured(f"decide.memory_mb.{role}", held, unit="MiB resident at the end") for role, held in _list_memory(base)
    )


def _little(windows: Series) -> Measured:
    """Return the lowest product of Little's law: far below 1, the generator was too slow and no number holds.

    Open loops have no such product. Of the few requests of batches, the last ones leave connections idle.
    """
    singles = [window for name, point in windows.items() if "batch" not in name for window in point]
    closed = [window.little for window in singles if not window.plan.rate]
    unit = "throughput × mean latency ÷ connections, closed loops of single requests"
    return Measured("decide.little.lowest", min(closed), unit=unit)


def _beside_noop(name: str, windows: Series, point: str, noop: str, about: str) -> list[Measured]:
    return [
        ratio(f"{name}.ratio_to_noop", windows[point], windows[noop], per_s, f"{_WALL}, {about}"),
        ratio(f"{name}.cpu_ratio_to_noop", windows[noop], windows[point], replica_us, f"{_CPU}, {about}"),
    ]


def _latencies(base: Measurements) -> Iterator[Measured]:
    windows, half = base.windows, "at half of decide's capacity, latency from the due time"
    yield _median("decide.single.p50_ms", windows["single.1"], p50_ms, "ms, 1 connection")
    yield _median("decide.single.half.p99_ms", windows["single.half"], p99_ms, f"ms {half}")
    yield _median("decide.noop.half.p99_ms", windows["noop.half"], p99_ms, f"ms {half}")
    yield median("decide.fsync.p99_ms", base.fsync_ms, "ms to write 2 kB to the disk of the log")
    pair = windows["single.half"], windows["noop.half"]
    yield ratio("decide.single.p99_ratio_to_noop", *pair, p99_ms, f"p99 ÷ p99 of the no-op route {half}")
    values = [p99_ms(single) / (p99_ms(noop) + fsync) for single, noop, fsync in zip(*pair, base.fsync_ms, strict=True)]
    yield median("decide.single.p99_ratio_to_noop_and_fsync", values, f"p99 ÷ (p99 of the no-op + p99 of fsync) {half}")
    yield ratio(
        "decide.single.p99_ratio_beside_batch1000",
        windows["single.1.beside_batch1000"],
        windows["single.1"],
        p99_ms,
        "p99 while batches of 1,000 are decided ÷ p99 alone, 1 connection",
    )


def _list_memory(base: Measurements) -> list[tuple[str, float]]:
    return [(role.lower(), held) for role, held in base.memory_mb.items() if held]


def factor_results(scene: str, windows: Series, base: Series) -> Iterator[Measured]:
    """Yield the results of a scene that differs from the base point in one factor."""
    name = f"decide.single.{scene}"
    yield from _beside_noop(name, windows, "single.16", "noop.16", "16 connections")
    yield ratio(
        f"{name}.cpu_ratio_to_base",
        base["single.16"],
        windows["single.16"],
        replica_us,
        "CPU per decision of the base point ÷ here, in the replica",
    )
    if "batch100" in windows:
        batch = windows["batch100"]
        yield from _beside_noop(f"decide.batch100.{scene}", windows, "batch100", "noop.16", "batches on 4 connections")
        yield ratio(f"decide.batch100.{scene}.ratio_to_base", batch, base["batch100"], per_s, "decisions/s ÷ base's")


def results_against(windows: Series) -> Iterator[Measured]:
    """Yield how this version compares with the older one."""
    cheaper = "CPU per decision in the replica, older version ÷ this one"
    for name, old, new in (("single", "single.16", "single.16"), ("single.64", *["single.64"] * 2)):
        yield ratio(f"decide.{name}.cpu_ratio_to_old", windows[f"old.{old}"], windows[new], replica_us, cheaper)
    batches = windows["old.batch90"], windows["batch100"]
    yield ratio("decide.batch100.cpu_ratio_to_old", *batches, replica_us, f"{cheaper}, its batches of 90")
    lone = windows["single.1"], windows["old.single.1"]
    yield ratio("decide.single.p50_ratio_to_old", *lone, p50_ms, "p50, this version ÷ older one, 1 connection")


def _median(name: str, windows: Sequence[Window], quantity: Quantity, unit: str) -> Measured:
    return median(name, [quantity(window) for window in windows], unit)


def point_results(scenes: Mapping[str, Series]) -> Iterator[Measured]:
    """Yield what the table of points shows, for programs."""
    for scene, series in scenes.items():
        for point, windows in series.items():
            name = f"decide.points.{scene}.{point}"
            yield _median(f"{name}.per_s", windows, per_s, "decisions/s, or requests/s of a no-op")
            yield _median(f"{name}.p50_ms", windows, p50_ms, "ms")
            yield _median(f"{name}.p99_ms", windows, p99_ms, "ms")
            yield _median(f"{name}.replica_us", windows, replica_us, "CPU µs per decision or request")
