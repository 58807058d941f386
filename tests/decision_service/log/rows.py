"""Rows to fill a log with: few shoppers, events and keys, so that they meet."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from decision_service.log.base import NewRow
from decision_service.log.condition import STATE_CHANGING_KINDS, UNCONDITIONAL, AppendCondition, Query
from decision_service.log.keys import decision_key
from policies.records.rows import (
    ActivationRow,
    ClockRow,
    DecisionRow,
    ErasureRow,
    EventRow,
    FenceRow,
    OutcomeRow,
    PolicyRecord,
    PreferencesRow,
    Row,
)

TIME = 10.0
"""The time by the clock of every log."""

EVENTS = ["e1", "e2", "ünïcode"]
SHOPPERS = ["s1", "s2"]
KINDS = ["decision", "outcome", "erasure", "activation", "event", "preferences", "fence", "clock", "clock_correction"]


def decision(at: float, event_id: str, shopper_id: str = "s1") -> DecisionRow:
    return DecisionRow(
        at=at,
        event_id=event_id,
        shopper_id=shopper_id,
        fingerprint="",
        triggers=(),
        context={},
        catalogue_version=1,
        rules_version=1,
        policy=PolicyRecord("rule", 0, "live"),
        arm="treatment",
        answer="",
    )


def outcome(at: float, event_id: str, shopper_id: str | None = None, feedback_id: str | None = None) -> OutcomeRow:
    return OutcomeRow(
        at=at, event_id=event_id, type="click", occurred_at=at, shopper_id=shopper_id, feedback_id=feedback_id
    )


@dataclass(frozen=True)
class Repeat:
    """A follow-up: says the earlier outcomes of an event again, while the watermark is below a time."""

    at: float
    watermark_below: float

    def __call__(self, earlier: Sequence[Row], watermark: float) -> list[NewRow]:
        condition = AppendCondition(watermark_below=self.watermark_below)
        rows = [row for row in earlier if isinstance(row, OutcomeRow)]
        return [NewRow(outcome(self.at, row.event_id, "s1"), condition=condition) for row in rows]


_times = st.floats(min_value=-1e10, max_value=1e10)
_events = st.sampled_from(EVENTS)
_shoppers = st.sampled_from(SHOPPERS)

queries = st.builds(
    Query,
    kinds=st.sampled_from([STATE_CHANGING_KINDS, (*STATE_CHANGING_KINDS, "decision"), ("erasure",), ("decision",), ()]),
    shoppers=st.lists(st.sampled_from([*SHOPPERS, "nobody"]), max_size=2).map(tuple),
    event_id=st.none() | _events,
    after=st.integers(0, 8),
)

conditions = st.just(UNCONDITIONAL) | st.builds(
    AppendCondition,
    fail_if=st.lists(queries, max_size=2).map(tuple),
    event_owner=st.none() | _shoppers,
    watermark_below=st.sampled_from([float("inf"), 0.0, 1e9]),
    watermark_from=st.sampled_from([float("-inf"), 0.0, 1e9]),
    deadline=st.sampled_from([float("inf"), TIME + 1, TIME, TIME - 1]),
    incarnation=st.none() | st.integers(0, 2),
)

rows: st.SearchStrategy[Row] = st.one_of(
    st.builds(decision, _times, _events, _shoppers),
    st.builds(outcome, _times, _events, st.none() | _shoppers),
    st.builds(OutcomeRow, _times, _events, st.just("opt_out"), _times, shopper_id=_shoppers, channel=st.just("push")),
    st.builds(ActivationRow, _times, _events, _shoppers, st.booleans()),
    st.builds(EventRow, _times, _shoppers, st.just("product_view"), _times),
    st.builds(PreferencesRow, _times, _shoppers, st.fixed_dictionaries({"push": st.booleans()})),
    st.builds(ErasureRow, _times, st.just("erased:1"), _shoppers),
    st.builds(FenceRow, _times),
    st.builds(ClockRow, _times),
)

_follow_ups = st.none() | st.builds(
    Repeat, at=st.sampled_from([0.0, 1e9]), watermark_below=st.sampled_from([float("inf"), 1e9])
)

_with_any_key = st.builds(
    NewRow, rows, key=st.none() | st.sampled_from(["k1", "k2", "k3", "k4"]), condition=conditions, follow_up=_follow_ups
)

_with_key_of_event = st.builds(
    lambda row, *options: NewRow(row, decision_key(row.event_id), *options),
    st.builds(decision, _times, _events, _shoppers) | st.builds(outcome, _times, _events),
    conditions,
    _follow_ups,
)

new_rows = _with_any_key | _with_key_of_event

batches = st.lists(st.lists(new_rows, max_size=6), max_size=6)


def write_body(database: Path, position: int, body: bytes) -> bytes:
    """Write other bytes in the place of a row's body, and return the bytes that were there."""
    with closing(sqlite3.connect(database)) as connection, connection:
        ((before,),) = connection.execute("SELECT body FROM log WHERE position = ?", (position,)).fetchall()
        connection.execute("UPDATE log SET body = ? WHERE position = ?", (body, position))
    return bytes(before)
