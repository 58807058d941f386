"""How costs grow with the log: append, fold and report on logs of different lengths, made of the same rows."""

from __future__ import annotations

import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.speed.logs import learn, real_log
from decision_service.cli.measurements import Measured
from decision_service.log.facts import store_salt
from decision_service.queries.report.reporter import Reporter, ReportQuery
from decision_service.state.shopper_keys import ShopperKeys
from policies.records.rows import Row

_LAST_GROUPS = 20
Say = Callable[[str], None]


def measure(recorded: int, factors: Sequence[int], seed: int, say: Say) -> list[Measured]:
    """Measure logs that have the rows of one real log, each so many times."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        say(f"recording {recorded:,} rows of a service")
        rows = real_log.record(recorded, Path(directory) / "service", seed)
        results = []
        for factor in factors:
            say(f"a log of {recorded * factor:,} rows")
            results += _measure_one(rows, factor, Path(directory) / f"log-{factor}")
        return results


def _measure_one(rows: Sequence[Row], factor: int, data_dir: Path) -> list[Measured]:
    took = learn.write(rows, data_dir, factor)
    count = len(rows) * factor
    name, unit = f"growth.{count}", f"with {count:,} rows"
    size = sum(path.stat().st_size for path in data_dir.glob("decisions.sqlite*"))
    last = statistics.median(took[-_LAST_GROUPS:])
    return [
        Measured(f"{name}.append_us", last, unit=f"CPU µs per row in groups of 500, {unit}"),
        Measured(f"{name}.log_mb", size / 2**20, unit=f"MiB on disk {unit}"),
        Measured(f"{name}.fold_per_s", learn.fold_rate(data_dir, data_dir / "models"), unit=f"rows/s, {unit}"),
        Measured(f"{name}.report_s", report_s(data_dir), unit=f"CPU s for a report {unit}"),
        Measured(
            f"{name}.peak_mb",
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
            unit=f"MiB, peak of the process until the report {unit}",
        ),
    ]


def report_s(data_dir: Path) -> float:
    """Make a report of the whole log; return the CPU seconds."""
    log = real_log.open_log(data_dir)
    try:
        reporter = Reporter(log, ShopperKeys(store_salt(log)))
        begin = time.process_time()
        asyncio.run(reporter.report(ReportQuery()))
        return time.process_time() - begin
    finally:
        log.close()
