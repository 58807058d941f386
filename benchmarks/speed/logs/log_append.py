"""The CPU time of an append to the log beside its floor, which is one ``executemany`` of the same rows.

Log and floor are two files with the same tables, indexes and settings. Both take the same groups of decisions, in
turns, so that other work on the machine affects both. Event ids are random, bodies are real decisions of the example
catalogue with their answers, and the conditions are those of the decider.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import accumulate
from math import inf
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.speed.ranges import median_interval
from decision_service.catalogues.file import example
from decision_service.cli.measurements import Measured
from decision_service.commands.early_outcomes import early_outcomes
from decision_service.database.sqlite_url import make_url
from decision_service.log.base import Appended, NewRow
from decision_service.log.batch import Values
from decision_service.log.clock import CLOCK_FACT, WALL
from decision_service.log.condition import AppendCondition, Query, kinds_that_change
from decision_service.log.keys import decision_key
from decision_service.log.sql import SqlLog
from decision_service.log.sqlite import insert_rows
from decision_service.schemas.decision_answer import answer
from policies.arrays import FloatArray
from policies.catalogue.rulebook import Rulebook
from policies.decide import decide
from policies.decision_row import decision_row
from policies.models.learned import empty_snapshot, learned_policy
from policies.records.request import Request
from policies.records.rows import DecisionRow, ErasureRow, Scalar, TriggerRecord
from policies.shopper.state import NEW_SHOPPER

NOW = 1_795_280_400.0
"""2026-11-21T17:00:00Z."""

_ROWS_BEFORE = 20_000
_SHOPPERS = 10_000
_ROWS_AT_ONCE = 400
_GROUPS_AT_ONCE = 25
"""Rows and groups of one turn: so few that the next turn comes soon, so many that most of them find warm caches."""

_STATE_LAG = 100
"""Rows that were written since a decider read the shopper's state."""

_DIFFERENT = 300
"""Different decisions."""

_PRODUCTS = ("Runner 3", "Rain shell", "Trail socks, two pairs", "Canvas tote")
_CATEGORIES = ("shoes", "apparel", "bags")
_SEGMENTS = ("first_buyer", "loyal", "at_risk")


def append_against_floor(groups: Sequence[int], rounds: int, seed: int = 1) -> list[Measured]:
    """Measure appends of groups of decisions of these sizes.

    Each round times a few groups of each size on the log, one after the other, and then the same groups on the floor,
    or first on the floor. Times are µs of CPU per row; a ratio is the median over the rounds, with its 95 % interval.
    """
    decisions = _Decisions(seed)
    with tempfile.TemporaryDirectory(prefix="log-append-") as directory:
        pair = _Pair(Path(directory))
        for _ in range(_ROWS_BEFORE // 500):
            pair.append(decisions.groups(500, 500, pair.head))
        turns = [
            [pair.append(decisions.groups(size, _ROWS_AT_ONCE, pair.head)) for size in groups] for _ in range(rounds)
        ]
        row_bytes = pair.close()
    times = np.array(turns)  # (rounds, groups, log or floor)
    made = np.array([decisions.time_to_make() for _ in range(rounds)])
    return [
        *(measured for number, size in enumerate(groups) for measured in _results(size, times[:, number])),
        median_interval("log.row.us", made, "us of CPU to make a decision's row ready for the log"),
        Measured("decide.row_bytes", row_bytes, unit="bytes on disk per decision, with all indexes"),
    ]


class _Pair:
    """A log and its floor, in files of their own."""

    def __init__(self, directory: Path) -> None:
        self._log, self._floor = (
            SqlLog.open(make_url(Path(directory) / f"{name}.sqlite")) for name in ("log", "floor")
        )
        for log in (self._log, self._floor):
            log.store_fact(CLOCK_FACT, WALL)
        self._file = directory / "log.sqlite"
        self._connection = self._floor._engine.raw_connection()
        self._log_first = False
        self.head = 0

    def append(self, groups: Sequence[Sequence[NewRow]]) -> tuple[float, float]:
        """Append groups of rows to the log and insert them into the floor; return the µs of CPU per row of both.

        Who comes first finds the caches cold, so the two take turns at it.
        """
        values = self._values_of(groups)
        self._log_first = not self._log_first
        appended = self._append(groups) if self._log_first else 0.0
        inserted = self._insert(values)
        appended = appended or self._append(groups)
        return appended, inserted

    def _values_of(self, groups: Sequence[Sequence[NewRow]]) -> list[list[Values]]:
        starts = accumulate(map(len, groups), initial=self.head)
        return [
            [_values(row, start + number) for number, row in enumerate(group, 1)]
            for start, group in zip(starts, groups, strict=False)
        ]

    def _append(self, groups: Sequence[Sequence[NewRow]]) -> float:
        begin = time.thread_time()
        results = [self._log.append(group) for group in groups]
        took = time.thread_time() - begin
        written = sum(isinstance(result, Appended) for of_group in results for result in of_group)
        self.head += written
        return took / written * 1e6

    def _insert(self, groups: Sequence[Sequence[Values]]) -> float:
        cursor: sqlite3.Cursor = self._connection.cursor()  # type: ignore[assignment]
        begin = time.thread_time()
        for values in groups:
            cursor.execute("BEGIN IMMEDIATE")
            insert_rows(cursor, values)
            cursor.execute("COMMIT")
        return (time.thread_time() - begin) / sum(map(len, groups)) * 1e6

    def close(self) -> float:
        """Close both; return the bytes on disk per row of the log."""
        for log in (self._log, self._floor):
            log.close()
        with closing(sqlite3.connect(self._file)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self._file.stat().st_size / self.head


def _values(row: NewRow, position: int) -> Values:
    return position, row.kind, row.at, row.at, 0, row.event_id, row.shopper_id, row.key, row.body


class _Decisions:
    """Rows of decisions, each with another event id and shopper: a few hundred real decisions, again and again."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._rulebook = Rulebook.of(example(), 1)
        self._rows = list(self._decide(_DIFFERENT))
        self._at = NOW

    def groups(self, size: int, count: int, head: int) -> list[list[NewRow]]:
        """Return about so many rows in groups, for a log that has rows up to a position.

        Their conditions are those that the decider sets.
        """
        firsts = range(head, head + count - size + 1, size)
        return [[self._new_row(row, first) for row in self._named_rows(size)] for first in firsts[:_GROUPS_AT_ONCE]]

    def time_to_make(self, count: int = 100) -> float:
        """Return the µs of CPU per row to make rows ready for the log."""
        rows = list(self._named_rows(count))
        begin = time.thread_time()
        for row in rows:
            self._new_row(row, 1_000)
        return (time.thread_time() - begin) / count * 1e6

    def _new_row(self, row: DecisionRow, head: int) -> NewRow:
        shoppers, after = (row.shopper_id, f"key-{row.shopper_id}"), max(0, head - _STATE_LAG)
        erased = Query((ErasureRow.kind,), shoppers, after=after)
        changed = Query(kinds_that_change(ends=bool(row.ends_on)), shoppers, after=after)
        condition = AppendCondition((erased,), deadline=inf)
        if row.is_delivered:
            condition = AppendCondition((erased, changed), deadline=time.time() + 60.0, incarnation=0)
        return NewRow(row, decision_key(row.event_id), condition, partial(early_outcomes, row, self._rulebook))

    def _named_rows(self, count: int) -> Iterator[DecisionRow]:
        for row in self._random.choices(self._rows, k=count):
            event_id, self._at = self._event_id(), self._at + 0.01
            yield msgspec.structs.replace(
                row,
                at=self._at,
                event_id=event_id,
                shopper_id=f"customer-{self._random.randrange(_SHOPPERS)}",
                fingerprint=f"{self._random.getrandbits(128):032x}",
                answer=row.answer.replace(row.event_id, event_id),
            )

    def _event_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _decide(self, count: int) -> Iterator[DecisionRow]:
        policy = learned_policy(empty_snapshot(self._rulebook.catalogue.reward), self._rulebook, 1)
        for _ in range(count):
            decision = decide(self._request(), NEW_SHOPPER, self._rulebook, policy, b"benchmark")
            row = decision_row(decision)
            yield msgspec.structs.replace(row, answer=answer(decision, row).encode().decode())

    def _request(self) -> Request:
        triggers = self._rulebook.catalogue.triggers
        name = self._random.choice(sorted(triggers))
        attributes: dict[str, Scalar] = {
            "product": self._random.choice(_PRODUCTS),
            "category": self._random.choice(_CATEGORIES),
            "price": self._random.randrange(500, 20_000) / 100,
            "currency": "EUR",
        }
        trigger = TriggerRecord(
            name, triggers[name].priority, NOW + triggers[name].expires_s, triggers[name].critical, attributes
        )
        context: dict[str, Scalar] = {"device": "mobile", "segment": self._random.choice(_SEGMENTS), "rfm": "513"}
        return Request(self._event_id(), "customer-1", (trigger,), NOW, context)


def _results(size: int, times: FloatArray) -> list[Measured]:
    log, floor = times.T
    return [
        median_interval(f"log.append.{size}.us", log, "us of CPU per row"),
        median_interval(f"log.floor.{size}.us", floor, "us of CPU per row"),
        median_interval(f"log.append.{size}.ratio_to_floor", log / floor, "ratio"),
    ]
