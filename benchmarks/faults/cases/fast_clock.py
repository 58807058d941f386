"""A clock was ahead for a second: one row of the log is dated hours ahead."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.service import run_faulty
from benchmarks.faults.watching import Operator
from decision_service.log.base import NewRow
from decision_service.log.sql import SqlLog
from decision_service.settings import Settings
from policies.records.rows import ClockRow

_LEAD_S = 5.5 * 3_600


def repeat(directory: Path) -> Outcome:
    """Write one row as a process with a fast clock does."""
    data_dir = directory / "data"
    with run_faulty(data_dir) as service:
        service.wait_until_ready()
        operator = Operator(service, data_dir)
        log = SqlLog.open(Settings.load({"data_dir": data_dir}, {}).database_url, lambda: time.time() + _LEAD_S)
        log.append([NewRow(ClockRow(time.time() + _LEAD_S))])
        operator.expect_warning("WARNING", "ahead of this machine's clock")
        operator.expect_gauge("clock_corrections_total", 1, 5.0)
        operator.expect_gauge("clock_lead_seconds", 0, 5.0)
        lead_s = log.head().watermark - time.time()
        log.close()
    late = (f"the log's time is {lead_s:.0f} s ahead",) if lead_s > 0 else ()
    return Outcome((*operator.broken, *late), 0.0)


FAULT = Fault(
    number=21,
    name="fast_clock",
    action="one row is written by a clock that is 5.5 hours ahead",
    rule="the log's time is corrected, with a WARNING within 5 s and a metric",
    repeat=repeat,
)
