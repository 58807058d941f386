"""Closing: rows that take a send back say by their own time whether they came before its window had closed.

A window closes when the log's watermark reaches its end, which a row that comes out of order does not show. So such a
row is written only while the window is open, and otherwise dated when it had closed: every fold can tell by the row
alone (`policies.sends`), and none takes back what was learned from. A withdrawal of consent, which is about many
sends, bears the watermark itself: it voids what lies ahead of all that the log has seen, and no window of that has
closed.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import msgspec

from policies.records.rows import Row, encode
from policies.sends import is_withdrawal


def late_row_time(at: float, window_ends_at: float | None, watermark: float) -> tuple[float, float]:
    """Give the time that a row is to bear, and what the log's watermark must lie below when it is written.

    >>> late_row_time(5.0, 10.0, watermark=7.0), late_row_time(5.0, 10.0, watermark=12.0)
    ((5.0, 10.0), (10.0, inf))
    """
    if window_ends_at is None:
        return at, inf
    if max(at, watermark) < window_ends_at:
        return at, window_ends_at
    return max(at, window_ends_at), inf


def at_watermark(row: Row, watermark: float) -> Row:
    """Give a row as it is logged at a watermark, itself included.

    >>> from policies.records.rows import PreferencesRow
    >>> [at_watermark(PreferencesRow(5.0, "s-1", {"push": consent}), 7.0).at for consent in (False, True)]
    [7.0, 5.0]
    """
    return msgspec.structs.replace(row, at=watermark) if is_withdrawal(row) else row


def row_encoder(row: Row) -> Callable[[float], bytes] | None:
    """Give what writes a row as of the watermark, None for one that keeps its own time."""
    return (lambda watermark: encode(at_watermark(row, watermark))) if is_withdrawal(row) else None
