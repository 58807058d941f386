"""The clock is stepped, and somebody starts a second service on the same data directory."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.service import FaultyService, run_faulty
from tests.reference.traffic import find_broken, measure_outage, send_traffic


def repeat(directory: Path) -> Outcome:
    """Change the record of the run as a step of the clock does, and start again on its directory."""
    data_dir = directory / "data"
    with run_faulty(data_dir) as service:
        with send_traffic(service.wait_until_ready()) as traffic:
            _step_clock(data_dir / "service.lock")
            second = FaultyService(data_dir)
            code = second.process.wait()
        ended = service.process.poll() is not None
    broken = list(find_broken(traffic.answers))
    if ended or code != 1:
        broken.append(f"the second start left with {code}, the first service {'ended' if ended else 'runs'}")
    return Outcome(tuple(broken), measure_outage(traffic.answers))


def _step_clock(record: Path) -> None:
    run = json.loads(record.read_bytes())
    record.write_text(json.dumps(run | {"started_at": run.get("started_at", 0.0) - 3.0}))


FAULT = Fault(
    number=20,
    name="clock_step",
    action="the clock is stepped by three seconds, and a second service starts on the same data directory",
    rule="the second start is refused, and the first service answers on",
    repeat=repeat,
)
