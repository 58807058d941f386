"""Windows of time around sends: which of some send times lie too close to other sends."""

from __future__ import annotations

from collections.abc import Sequence

from policies.rules.verdicts import DelayMask, any_of

WEEK_S = 7 * 86_400.0


def is_near(sent: Sequence[float], times: Sequence[float], gap_s: float) -> DelayMask:
    """Return for each time whether a send lies less than ``gap_s`` before or after it.

    ``sent`` and ``times`` are in order, epoch seconds.

    >>> is_near([0.0, 100.0], [10.0, 50.0, 95.0], 10.0)
    [False, False, True]
    """
    begin, end = times[0] - gap_s, times[-1] + gap_s
    return any_of([[abs(at - send) < gap_s for at in times] for send in sent if begin < send < end])


def window_is_full(sent: Sequence[float], times: Sequence[float], maximum: int, window_s: float) -> DelayMask:
    """Return for each time whether one more send then would put more than ``maximum`` sends into some window.

    ``sent`` and ``times`` are in order, epoch seconds; ``maximum`` is at least 1. Windows are half-open and look
    both ways, so sends ahead count like sends behind: two sends exactly ``window_s`` apart never share a window.

    >>> window_is_full([0.0, 5.0], [9.0, 10.0], maximum=2, window_s=10.0)
    [True, False]
    >>> window_is_full([12.0, 14.0], [9.0], maximum=2, window_s=10.0)
    [True]
    """
    full = [(first, last) for first, last in zip(sent, sent[maximum - 1 :], strict=False) if last - first < window_s]
    return any_of([[last - at < window_s and at - first < window_s for at in times] for first, last in full])
