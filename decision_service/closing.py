"""Closing: rows that take a send back say by their own time whether they came before its window had closed.

A window closes when the log's watermark reaches its end, which a row that comes out of order does not show. So such a
row is written only while the window is open, and otherwise dated when it had closed: every fold can tell by the row
alone (`policies.lateness`), and none takes back what was learned from.
"""

from __future__ import annotations

from math import inf


def dated(at: float, window_ends_at: float | None, watermark: float) -> tuple[float, float]:
    """Give the time that a row is to bear, and what the log's watermark must lie below when it is written.

    >>> dated(5.0, 10.0, watermark=7.0), dated(5.0, 10.0, watermark=12.0)
    ((5.0, 10.0), (10.0, inf))
    """
    if window_ends_at is None:
        return at, inf
    if max(at, watermark) < window_ends_at:
        return at, window_ends_at
    return max(at, window_ends_at), inf
