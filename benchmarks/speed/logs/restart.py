"""How long a start takes with a long log: from a snapshot of the states, beside an empty directory, and without one."""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.faults.service import FaultyService, run_faulty
from benchmarks.speed.logs import restart_parts
from benchmarks.speed.logs.long_log import lengthen
from decision_service.app import open_registry
from decision_service.cli.measurements import Measured
from decision_service.settings import Settings

_SHOPPERS, _CALLS, _ITEMS_A_CALL = 1_000, 20, 90
_READY_WITHIN_S = _LEARNS_WITHIN_S = 1_800.0
_PROBE_EVERY_S = 0.1
_MIB = 2**20
_PROCESSES = {"replica": "ServeReplica:decision-service:replica", "learner": ":learner", "redis": "redis-server"}
"""What is found in the command lines of the processes whose memory is noted."""

Say = Callable[[str], None]


@dataclass
class Start:
    """One start of a service, watched from outside until the service is ready.

    Failures are calls of ``/healthz`` that failed after the first answer.
    """

    ready_s: float = 0.0
    healthz_s: list[float] = field(default_factory=list)
    failures: int = 0
    peak_mb: dict[str, float] = field(default_factory=dict)


def measure(rows: int, rounds: int, say: Say) -> list[Measured]:
    """Start in turns on an empty directory and on a long log with a snapshot; start once without the snapshot."""
    with tempfile.TemporaryDirectory(prefix="restart-") as name:
        directory = Path(name)
        data = directory / "data"
        say("making a real log")
        with run_faulty(data) as service:
            _fill(service.wait_until_ready())
        length = lengthen(data, rows)
        for stale in ("models.sqlite", "models.sqlite-wal", "models.sqlite-shm", "redis/states.rdb"):
            (data / stale).unlink(missing_ok=True)
        say(f"folding {length:,} rows without a snapshot")
        with _watch(data) as (service, rebuilt):
            learned_s = _wait_for_learner(data, length)
        pairs = []
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            with _watch(directory / f"empty-{number}") as (_, empty):
                pass
            with _watch(data) as (_, restarted):
                pass
            pairs.append((empty, restarted))
            shutil.rmtree(directory / f"empty-{number}")
        parts = restart_parts.measure(data, rounds, say)
        sizes = {part: (data / part).stat().st_size / _MIB for part in ("decisions.sqlite", "redis/states.rdb")}
        return [*_restarts(pairs, length), *parts, *_rebuild(rebuilt, length, learned_s), *_sizes(sizes)]


def _restarts(pairs: list[tuple[Start, Start]], length: int) -> list[Measured]:
    later = sorted(restarted.ready_s - empty.ready_s for empty, restarted in pairs)
    return [
        Measured("restart.empty.ready_s", statistics.median(empty.ready_s for empty, _ in pairs), unit="s"),
        Measured(
            "restart.snapshot.ready_s",
            statistics.median(restarted.ready_s for _, restarted in pairs),
            unit=f"s with {length:,} rows",
        ),
        Measured(
            "restart.snapshot.later_s",
            statistics.median(later),
            later[0],
            later[-1],
            unit="s later than on an empty directory, in turns; the range is of all rounds",
        ),
    ]


def _rebuild(start: Start, length: int, learned_s: float) -> list[Measured]:
    peaks = [
        Measured(f"restart.rebuild.peak_mb.{name}", peak, unit="MB of resident memory")
        for name, peak in sorted(start.peak_mb.items())
    ]
    return [
        Measured("restart.rebuild.ready_s", start.ready_s, unit=f"s with {length:,} rows and no snapshot"),
        *peaks,
        Measured("restart.rebuild.healthz.calls", len(start.healthz_s), unit="answers while the states were folded"),
        Measured("restart.rebuild.healthz.failures", start.failures, unit="calls without 200"),
        Measured("restart.rebuild.healthz.longest_s", max(start.healthz_s, default=0.0), unit="s"),
        Measured("restart.rebuild.learned_s", learned_s, unit="s after ready until all rows were learned too"),
    ]


def _sizes(sizes: dict[str, float]) -> list[Measured]:
    return [Measured(f"restart.size_mb.{Path(part).stem}", size, unit="MiB on disk") for part, size in sizes.items()]


@contextmanager
def _watch(data: Path) -> Iterator[tuple[FaultyService, Start]]:
    """Start a service, watch it until it is ready, and stop it at the end."""
    start, began = Start(), time.monotonic()
    with run_faulty(data) as service:
        ready = threading.Event()
        watching = threading.Thread(target=_probe, args=(service, ready, start))
        watching.start()
        try:
            service.wait_until_ready(_READY_WITHIN_S)
        finally:
            ready.set()
            watching.join()
        start.ready_s = time.monotonic() - began
        yield service, start


def _probe(service: FaultyService, ready: threading.Event, start: Start) -> None:
    """Ask whether the service lives, and look at its memory, until it is ready."""
    url = service.wait_until_begun()
    processes: dict[int, psutil.Process] = {}
    looks = 0
    while not ready.wait(_PROBE_EVERY_S):
        began = time.monotonic()
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
                answer.read()
            start.healthz_s.append(time.monotonic() - began)
        except OSError:
            start.failures += bool(start.healthz_s)
        if looks % 20 == 0:
            processes = {process.pid: process for process in service.find("") if process.is_running()}
        looks += 1
        for process in processes.values():
            _note_memory(process, start.peak_mb)


def _note_memory(process: psutil.Process, peaks: dict[str, float]) -> None:
    try:
        command, used = " ".join(process.cmdline()), process.memory_info().rss / _MIB
    except psutil.Error:
        return
    for name, part in _PROCESSES.items():
        if part in command:
            peaks[name] = max(used, peaks.get(name, 0.0))


def _wait_for_learner(data: Path, length: int) -> float:
    """Wait until the learner has saved that it has folded the log, and return the seconds."""
    began = time.monotonic()
    registry = open_registry(Settings.load({"data_dir": str(data)}, {}))
    try:
        while (saved := registry.checkpoint()) is None or saved.position < length:
            if time.monotonic() - began > _LEARNS_WITHIN_S:
                raise TimeoutError("the learner did not reach the end of the log")
            time.sleep(1.0)
    finally:
        registry.close()
    return time.monotonic() - began


def _fill(url: str) -> None:
    """Decide, report clicks and events, as a shop would."""
    for call in range(_CALLS):
        numbers = range(call * _ITEMS_A_CALL, (call + 1) * _ITEMS_A_CALL)
        requests = [_decide_body(number) for number in numbers]
        answers = _post(f"{url}/v1/decide/batch", {"decisions": requests})["results"]
        sends = [answer["event_id"] for answer in answers if answer.get("decision") == "send"]
        outcomes = [{"event_id": event_id, "type": "click", "feedback_id": f"f-{event_id}"} for event_id in sends[::3]]
        if outcomes:
            _post(f"{url}/v1/feedback", {"events": outcomes})
        _post(f"{url}/v1/events", {"events": [_event_body(number) for number in numbers]})


def _decide_body(number: int) -> dict[str, Any]:
    trigger = {"type": "cart_abandoned", "attributes": {"product": f"p-{number % 97}", "category": "shoes"}}
    return {"event_id": f"e-{number}", "shopper_id": f"s-{number % _SHOPPERS}", "triggers": [trigger]}


def _event_body(number: int) -> dict[str, Any]:
    attributes = {"product": f"p-{number % 89}", "category": "shoes"}
    shopper_id = f"s-{number * 7 % _SHOPPERS}"
    return {"id": f"v-{number}", "shopper_id": shopper_id, "type": "product_view", "attributes": attributes}


def _post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
