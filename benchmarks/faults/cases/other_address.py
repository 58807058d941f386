"""A second service starts on another loopback address, beside one that runs."""

from __future__ import annotations

from pathlib import Path

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.service import run_faulty
from decision_service.database.sqlite_url import make_url
from decision_service.log.sql import SqlLog
from tests.reference.traffic import Answer, Traffic

_DECIDES = 20


def repeat(directory: Path) -> Outcome:
    """Ask the second service for decisions, and look whose log has them."""
    with run_faulty(directory / "first") as first:
        first.wait_until_ready()
        with run_faulty(directory / "second", "--host", "127.0.0.2") as second:
            traffic = Traffic(second.wait_until_ready())
            answers = [traffic.ask("/v1/decide") for _ in range(_DECIDES)]
    rows = {name: _count_rows(directory / name) for name in ("first", "second")}
    broken = [*_failures(answers)]
    if rows != {"first": 0, "second": _DECIDES}:
        broken.append(f"decisions in the logs: {rows}")
    return Outcome(tuple(broken), 0.0)


def _failures(answers: list[Answer]) -> list[str]:
    failed = [answer for answer in answers if not answer.is_normal]
    return [f"{len(failed)} decides failed, the first with {failed[0].status}"] if failed else []


def _count_rows(data_dir: Path) -> int:
    log = SqlLog.open(make_url(data_dir / "decisions.sqlite"))
    try:
        return sum(row.kind == "decision" for row in log.read(0, 1_000_000))
    finally:
        log.close()


FAULT = Fault(
    number=19,
    name="other_address",
    action="a second service starts with `--host 127.0.0.2` beside one on 127.0.0.1",
    rule="the second service answers its callers itself, and its own log has their decisions",
    repeat=repeat,
)
