"""The pace of purchases: which triggers are due, and when."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulators.replay.pace import DAY_S, SHORTEST_S, Pace


@given(st.lists(st.floats(0, 200 * DAY_S), min_size=1, max_size=12).map(sorted))
def test_a_trigger_is_due_after_its_order_and_only_without_another_order(times: list[float]) -> None:
    pace = Pace()
    for at in times:
        before = pace.pop_due(at)
        assert all(when < at for when, _, _ in before)
        pace.record_order("s", at)
    due = pace.pop_due(np.inf)
    assert [kind for _, _, kind in due] in (["replenishment", "win_back"], ["win_back"], [])
    assert all(when >= times[0] + SHORTEST_S for when, _, _ in due)
