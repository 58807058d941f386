"""The disk is full: no file of the service can grow."""

from __future__ import annotations

from pathlib import Path

import psutil

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.service import run_faulty
from benchmarks.faults.watching import Operator

_LATER_S = 30.0


def repeat(directory: Path) -> Outcome:
    """Limit the size of files to that of the log's, and lift the limit."""
    with run_faulty(directory / "data", "--replicas", "2") as service:
        service.wait_until_ready()
        operator = Operator(service, directory / "data")
        operator.expect_ready(ready=True, within_s=_LATER_S)
        _limit(operator, max(path.stat().st_size for path in operator.data_dir.glob("decisions.sqlite*")))
        operator.expect_ready(ready=False, within_s=_LATER_S)
        operator.expect_warning("WARNING", "the log cannot be written")
        _limit(operator, psutil.RLIM_INFINITY)
        operator.expect_ready(ready=True, within_s=_LATER_S)
    return Outcome(tuple(operator.broken), 0.0)


def _limit(operator: Operator, size: int) -> None:
    for pid in operator.replicas:
        psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))


FAULT = Fault(
    number=27,
    name="full_disk",
    action="no file of a replica can grow (RLIMIT_FSIZE), then it can again (two replicas)",
    rule="`/readyz` is 503 while no row can be written, and 200 afterwards; a WARNING within 5 s",
    repeat=repeat,
)
