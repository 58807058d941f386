"""The times of rows that take a send back, so that every fold can tell by the row alone whether it came in time.

A window closes when the log's watermark reaches its end, and a row that comes out of order does not show where the
watermark was. A row that takes one send back is therefore written with its own time only while the send's window is
open, and otherwise with the time at which the window had closed (`policies.sends.stages`): no fold takes back what was
learned from. A withdrawal of consent, which is about many sends, bears the watermark itself: it voids all sends that
are later than what the log has seen, and none of their windows has closed. So does an event by which triggers may end.

A clock correction puts the watermark back. A window that had closed by then stays closed for what was learned, but a
later row is dated by the corrected time, and takes the send back for all others: the place is released.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import msgspec

from policies.records.rows import DecisionRow, ErasureRow, PreferencesRow, Row
from policies.sends.concerns import concerns_all_sends


class RowTime(NamedTuple):
    """The time of a row, and the watermarks at which the row may be written: see `AppendCondition`."""

    at: float
    watermark_below: float = inf
    watermark_from: float = -inf


def late_row_time(at: float, window_ends_at: float | None, watermark: float) -> RowTime:
    """Return the time of a row that takes back a send whose window may be over.

    >>> late_row_time(5.0, 10.0, watermark=7.0)
    RowTime(at=5.0, watermark_below=10.0, watermark_from=-inf)
    >>> late_row_time(5.0, 10.0, watermark=12.0)
    RowTime(at=10.0, watermark_below=inf, watermark_from=10.0)
    """
    if window_ends_at is None or at >= window_ends_at:
        return RowTime(at)
    if watermark < window_ends_at:
        return RowTime(at, watermark_below=window_ends_at)
    return RowTime(window_ends_at, watermark_from=window_ends_at)


def at_watermark(row: Row, watermark: float) -> Row:
    """Return a row as it is logged.

    A row that may take back many sends of its shopper bears the watermark, its own time included. Any other row stays
    unchanged.

    Preferences and erasures keep the date of the shopper's words.

    >>> rows = [PreferencesRow(at=5.0, shopper_id="s-1", consent={"push": consent}) for consent in (False, True)]
    >>> [(row.at, row.stated_at) for row in (at_watermark(row, 7.0) for row in rows)]
    [(7.0, 5.0), (5.0, None)]
    """
    if isinstance(row, DecisionRow) or row.at == watermark or not concerns_all_sends(row):
        return row
    if isinstance(row, PreferencesRow | ErasureRow) and not isinstance(row.stated_at, float):
        return msgspec.structs.replace(row, at=watermark, stated_at=row.at)
    return msgspec.structs.replace(row, at=watermark)
