"""All points of a run as one table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

from benchmarks.speed.serving.points import Series
from benchmarks.speed.serving.series import Quantity, p50_ms, p99_ms, per_s
from benchmarks.speed.serving.window import Window

_CPU_ROLES = ("replica", "HAProxy", "proxy", "Redis", "learner", "Ray", "generator")

Cell = Callable[[Sequence[Window]], str]


def to_table(scenes: Mapping[str, Series]) -> str:
    """Return all points as Markdown: medians over the rounds, the range of the rate beside it."""
    columns = _columns()
    lines = [
        "## All points",
        "",
        "Medians over the rounds. A rate counts decisions, or requests where nothing is decided. CPU is in µs per "
        "decision or request: of the replicas, both HAProxies, Serve's proxy, Redis, the learner, Ray's other "
        "processes and the load generator. That of Redis and the learner contains the work that a load left. By "
        "Little's law, throughput × latency ÷ connections is 1 in a closed loop; a smaller number says that the "
        "generator was slow. Of the single beside batches of 1,000, only the latencies are its own.",
        "",
        "| scene | point | " + " | ".join(columns) + " |",
        "|---|---|" + "--:|" * len(columns),
    ]
    for scene, series in scenes.items():
        for point, windows in series.items():
            cells = (cell(windows) for cell in columns.values())
            lines.append(f"| {scene} | {point} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _columns() -> dict[str, Cell]:
    return {
        "connections": lambda windows: str(windows[0].plan.connections),
        "per s": _median(per_s, ",.0f"),
        "range": lambda windows: f"{min(map(per_s, windows)):,.0f} to {max(map(per_s, windows)):,.0f}",
        "p50 ms": _median(p50_ms, ".2f"),
        "p99 ms": _median(p99_ms, ".1f"),
        **{f"{role} µs": _median(_cpu_of(role), ",.0f") for role in _CPU_ROLES},
        "Little": _little,
        "sends": _share(lambda window: window.sent_share),
        "errors": _share(lambda window: window.error_share),
        "load": _median(lambda window: window.load_average, ".1f"),
    }


def _median(quantity: Quantity, form: str) -> Cell:
    return lambda windows: format(statistics.median(map(quantity, windows)), form)


def _cpu_of(role: str) -> Quantity:
    return lambda window: window.cpu_us(role)


def _share(quantity: Quantity) -> Cell:
    return lambda windows: f"{statistics.mean(map(quantity, windows)):.0%}"


def _little(windows: Sequence[Window]) -> str:
    if windows[0].plan.rate:
        return "open loop"
    return format(statistics.median(window.little for window in windows), ".3f")
