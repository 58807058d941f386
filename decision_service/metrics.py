"""All metrics that Prometheus reads.

``serve`` sets ``PROMETHEUS_MULTIPROC_DIR``. Then every replica answers with the sums over all replicas.
"""

from __future__ import annotations

from pathlib import Path

import psutil
from prometheus_client import REGISTRY as DEFAULT_REGISTRY
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

DECISIONS = Counter("decision_service_decisions", "Decisions answered.", ["decision", "hold_reason"])
REPLAYS = Counter("decision_service_replays", "Decisions answered again for a repeated event id.")
ITEMS = Counter("decision_service_items", "Outcomes and shopper events by what became of them.", ["kind", "status"])
SECONDS = Histogram(
    "decision_service_request_seconds",
    "Time from a request's body to its answer.",
    ["endpoint"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
PROBLEMS = Counter("decision_service_problems", "Requests answered with a problem.", ["status"])
MODEL_VERSION = Gauge("decision_service_model_version", "Model version served.", multiprocess_mode="livemin")
STATE_TRUSTED = Gauge(
    "decision_service_state_trusted", "1 while the state store contains the log.", multiprocess_mode="livemin"
)


def exposition(multiprocess_dir: str | None) -> bytes:
    """Return all metrics in Prometheus' text format."""
    if multiprocess_dir is None:
        return generate_latest(DEFAULT_REGISTRY)
    _drop_ended_processes(Path(multiprocess_dir))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=multiprocess_dir)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _drop_ended_processes(directory: Path) -> None:
    """Drop the gauges of replicas that have ended; their counters stay."""
    for path in directory.glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        if not psutil.pid_exists(pid):
            mark_process_dead(pid, path=str(directory))  # type: ignore[no-untyped-call]
