"""The watermark: the latest time of the log's rows since the last clock correction."""

from __future__ import annotations

from policies.records.rows import ClockCorrectionRow, Row


def watermark_after(watermark: float, row: Row) -> float:
    """Return the watermark after one more row.

    >>> from policies.records.rows import ClockRow
    >>> watermark_after(7.0, ClockRow(9.0)), watermark_after(7.0, ClockRow(5.0))
    (9.0, 7.0)
    >>> watermark_after(7.0, ClockCorrectionRow(5.0))
    5.0
    """
    return row.at if isinstance(row, ClockCorrectionRow) else max(watermark, row.at)
