"""The times of rows that take a send back, so that every fold can tell by the row alone whether it came in time.

A window closes when the log's watermark reaches its end, and a row that comes out of order does not show where the
watermark was. A row that takes one send back is therefore written with its own time only while the send's window is
open, and otherwise with the time at which the window had closed (`policies.sends`): no fold takes back what was
learned from. A withdrawal of consent, which is about many sends, bears the watermark itself: it voids all sends that
are later than what the log has seen, and none of their windows has closed. So does an event by which triggers may end.
"""

from __future__ import annotations

from math import inf

import msgspec

from policies.records.rows import PreferencesRow, Row
from policies.sends import concerns_all_sends


def late_row_time(at: float, window_ends_at: float | None, watermark: float) -> tuple[float, float]:
    """Return the time that a row bears, and the time that the watermark must be below when the row is written.

    >>> late_row_time(5.0, 10.0, watermark=7.0), late_row_time(5.0, 10.0, watermark=12.0)
    ((5.0, 10.0), (10.0, inf))
    """
    if window_ends_at is None:
        return at, inf
    if max(at, watermark) < window_ends_at:
        return at, window_ends_at
    return max(at, window_ends_at), inf


def at_watermark(row: Row, watermark: float) -> Row:
    """Return a row as it is logged.

    A row that may take back many sends of its shopper bears the watermark, its own time included. Any other row stays
    unchanged.

    Preferences keep the date of the shopper's words.

    >>> rows = [PreferencesRow(at=5.0, shopper_id="s-1", consent={"push": consent}) for consent in (False, True)]
    >>> [(row.at, row.stated_at) for row in (at_watermark(row, 7.0) for row in rows)]
    [(7.0, 5.0), (5.0, None)]
    """
    if row.at >= watermark or not concerns_all_sends(row):
        return row
    if isinstance(row, PreferencesRow) and row.stated_at is None:
        return msgspec.structs.replace(row, at=watermark, stated_at=row.at)
    return msgspec.structs.replace(row, at=watermark)
