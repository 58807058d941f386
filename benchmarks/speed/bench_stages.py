"""The stages of a decision one by one, measured by pytest-benchmark: ``python -m benchmarks stages`` runs this file.

The name of the file keeps it out of ``make test``. ``bench_append[16]`` measures the stage ``append`` in groups of 16.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.speed import guardrails
from benchmarks.speed.group_timer import GroupTimer
from decision_service.database.sqlite_url import make_url
from decision_service.log.base import NewRow
from decision_service.log.keys import decision_key
from decision_service.log.sql import SqlLog
from decision_service.schemas.decision_answer import answer
from policies.decision_row import decision_row
from policies.learning.fold import Learning
from policies.records.rows import DecisionRow, decode, encode

GROUPS = (1, 16, 64, 100)

Benchmark = Any
"""The fixture of pytest-benchmark, which has no types."""


@pytest.fixture(scope="module")
def timer() -> GroupTimer:
    return GroupTimer(240)


@pytest.fixture(scope="module")
def row(timer: GroupTimer) -> DecisionRow:
    (decision,) = timer.decide(timer.make_requests(1))
    plain = decision_row(decision)
    return msgspec.structs.replace(plain, answer=answer(decision, plain).encode().decode())


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqlLog]:
    log = SqlLog.open(make_url(tmp_path / "log.sqlite"))
    yield log
    log.close()


def bench_rules(benchmark: Benchmark) -> None:
    benchmark(guardrails.make_rules_call())


def bench_policy(benchmark: Benchmark) -> None:
    benchmark(guardrails.make_policy_call())


@pytest.mark.parametrize("group", GROUPS)
def bench_decide_many(benchmark: Benchmark, timer: GroupTimer, group: int) -> None:
    requests = timer.make_requests(group)
    benchmark(timer.decide, requests)


@pytest.mark.parametrize("group", GROUPS)
def bench_rows_and_answers(benchmark: Benchmark, timer: GroupTimer, group: int) -> None:
    decisions = timer.decide(timer.make_requests(group))
    benchmark(lambda: [answer(decision, decision_row(decision)).encode() for decision in decisions])


def bench_encode_row(benchmark: Benchmark, row: DecisionRow) -> None:
    benchmark(encode, row)


def bench_decode_row(benchmark: Benchmark, row: DecisionRow) -> None:
    benchmark(decode, encode(row))


@pytest.mark.parametrize("group", GROUPS)
def bench_append(benchmark: Benchmark, log: SqlLog, row: DecisionRow, group: int) -> None:
    numbers = itertools.count()

    def make_group() -> tuple[tuple[list[NewRow]], dict[str, Any]]:
        event_ids = [f"e-{next(numbers)}" for _ in range(group)]
        rows = [msgspec.structs.replace(row, event_id=event_id) for event_id in event_ids]
        return ([NewRow(new, decision_key(new.event_id)) for new in rows],), {}

    benchmark.pedantic(log.append, setup=make_group, rounds=50)


def bench_fold(benchmark: Benchmark, row: DecisionRow) -> None:
    learning = Learning(lambda event_ids: {})
    positions = itertools.count(1)
    benchmark(_make_fold(learning, row, positions))


def _make_fold(learning: Learning, row: DecisionRow, positions: Iterator[int]) -> Callable[[], object]:
    def fold() -> object:
        position = next(positions)
        return learning.fold(position, msgspec.structs.replace(row, event_id=f"e-{position}"))

    return fold
