"""The schedule returns every row once, when the row is due."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulators.world.schedule import Schedule


@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 9)), max_size=60), st.lists(st.floats(0, 60), max_size=8))
def test_every_row_is_popped_once_when_it_is_due(rows: list[tuple[float, int]], times: list[float]) -> None:
    schedule, waiting = Schedule({"number": np.int64}), []
    for part, until in enumerate([*sorted(times), 61.0]):
        fresh = rows[part::9]
        schedule.add(np.array([due for due, _ in fresh]), number=np.array([n for _, n in fresh], dtype=np.int64))
        waiting += fresh
        due, popped = schedule.pop(until)
        expected = [(d, n) for d, n in waiting if d < until]
        waiting = [(d, n) for d, n in waiting if d >= until]
        assert sorted(zip(due.tolist(), popped["number"].tolist(), strict=True)) == sorted(expected)
        assert len(schedule) == len(waiting)
