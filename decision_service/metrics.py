"""All metrics that Prometheus reads.

``serve`` sets ``PROMETHEUS_MULTIPROC_DIR``. Then every replica answers with the sums over all replicas.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

import psutil
from prometheus_client import REGISTRY as DEFAULT_REGISTRY
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

DECISIONS = Counter("decision_service_decisions", "Decisions answered.", ["decision", "hold_reason"])
REPLAYS = Counter("decision_service_replays", "Decisions answered again for a repeated event id.")
ITEMS = Counter("decision_service_items", "Outcomes and shopper events by what became of them.", ["kind", "status"])
SECONDS = Histogram(
    "decision_service_request_seconds",
    "Time from a request to its answer.",
    ["endpoint"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
PROBLEMS = Counter("decision_service_problems", "Requests answered with a problem.", ["status"])
CLOCK_CORRECTIONS = Counter(
    "decision_service_clock_corrections", "Corrections of the log's time, which was ahead of the clock."
)


class ReplicaGauges:
    """The gauges of a replica. A process that makes none, such as the learner, has no say in them."""

    def __init__(self) -> None:
        self.model_version = _gauge(
            "decision_service_model_version", "Model version served: the lowest of all replicas.", "livemin"
        )
        self.state_trusted = _gauge(
            "decision_service_state_trusted", "1 while the state store contains the log, for all replicas.", "livemin"
        )
        self.clock_lead = _gauge(
            "decision_service_clock_lead_seconds",
            "How far the log's time is ahead of the clock; more than 300 s are corrected.",
            "livemax",
        )


def _gauge(name: str, description: str, mode: Literal["livemin", "livemax"]) -> Gauge:
    return Gauge(name, description, multiprocess_mode=mode)


@cache
def replica_gauges() -> ReplicaGauges:
    """Return the gauges of the replica in this process."""
    return ReplicaGauges()


def exposition(multiprocess_dir: str | None) -> bytes:
    """Return all metrics in Prometheus' text format."""
    if multiprocess_dir is None:
        return generate_latest(DEFAULT_REGISTRY)
    _drop_ended_processes(Path(multiprocess_dir))
    registry = CollectorRegistry()
    registry.register(_OwnMetrics(multiprocess_dir))
    return generate_latest(registry)


class _OwnMetrics(Collector):
    """The metrics of all processes; Ray's processes write some of their own into the same directory."""

    def __init__(self, directory: str) -> None:
        self._all = MultiProcessCollector(None, path=directory)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of the service."""
        metrics: Iterable[Metric] = self._all.collect()  # type: ignore[no-untyped-call]
        return (metric for metric in metrics if metric.name.startswith("decision_service_"))


def _drop_ended_processes(directory: Path) -> None:
    """Drop the gauges of replicas that have ended; their counters stay."""
    for path in directory.glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        if not _writes(pid, path):
            mark_process_dead(pid, path=str(directory))  # type: ignore[no-untyped-call]


def _writes(pid: int, path: Path) -> bool:
    """Return whether a process lives and has this file open; a later process with the same id has not."""
    try:
        return any(Path(file.path) == path.resolve() for file in psutil.Process(pid).open_files())
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # a process that has ended and waits for its parent is a zombie
        return False
