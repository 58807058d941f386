"""The stages of a decision one by one, measured by pytest-benchmark: ``python -m benchmarks stages`` runs this file.

The name of the file keeps it out of ``make test``. ``bench_decide_many[16]`` measures the stage ``decide_many`` in
groups of 16.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from benchmarks.speed import guardrails
from benchmarks.speed.turns.group_timer import GROUPS, GroupTimer
from decision_service.schemas.decision_answer import answer
from policies.decision_row import decision_row
from policies.learning.fold import Learning
from policies.models.learned import LEARNING
from policies.records.rows import DecisionRow, decode, encode

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


def bench_fold(benchmark: Benchmark, row: DecisionRow) -> None:
    learning = Learning(lambda event_ids: {}, LEARNING.make_learner)
    positions = itertools.count(1)
    benchmark(_make_fold(learning, row, positions))


def _make_fold(learning: Learning, row: DecisionRow, positions: Iterator[int]) -> Callable[[], object]:
    def fold() -> object:
        position = next(positions)
        return learning.fold(position, msgspec.structs.replace(row, event_id=f"e-{position}"))

    return fold
