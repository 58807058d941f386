from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policies.rules.windows import is_near, window_is_full

times = st.lists(st.integers(0, 40).map(float), max_size=12)


def most_in_a_window(sends: list[float], window_s: float) -> int:
    """Count by brute force, independently of the rule: sends in any half-open window that begins at a send."""
    return max((sum(first <= send < first + window_s for send in sends) for first in sends), default=0)


@given(times, st.integers(0, 40).map(float), st.integers(1, 4), st.integers(1, 15).map(float))
def test_a_send_is_allowed_exactly_when_no_window_around_it_overflows(
    taken: list[float], at: float, maximum: int, window_s: float
) -> None:
    legal: list[float] = []
    for time in taken:  # only histories that the cap itself would have allowed
        if most_in_a_window([*legal, time], window_s) <= maximum:
            legal.append(time)
    overflows = most_in_a_window([*legal, at], window_s) > maximum
    assert any(window_is_full(sorted(legal), [at], maximum, window_s)) == overflows


def test_sends_exactly_a_window_apart_do_not_share_it() -> None:
    assert window_is_full([0.0], [10.0], maximum=1, window_s=10.0) == [False]
    assert window_is_full([0.0], [9.999], maximum=1, window_s=10.0) == [True]


@given(times, st.lists(st.integers(0, 40).map(float), min_size=1, max_size=4), st.integers(1, 15).map(float))
def test_a_time_is_near_exactly_when_some_send_is_closer_than_the_gap(
    taken: list[float], asked: list[float], gap_s: float
) -> None:
    sent, asked = sorted(taken), sorted(asked)
    near = is_near(sent, asked, gap_s) or [False] * len(asked)
    assert near == [any(abs(at - send) < gap_s for send in sent) for at in asked]
