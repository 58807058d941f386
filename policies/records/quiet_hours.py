"""Quiet hours as rows and states keep them: spans of the shopper's own day, in minutes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

DAY_MINUTES = 1_440
WEEK_DAYS = 7
WEEK_MINUTES = WEEK_DAYS * DAY_MINUTES

EVERY_DAY: tuple[int, ...] = ()


class QuietSpan(msgspec.Struct, frozen=True, array_like=True):
    """Minutes of the day, [start, end), across midnight if start > end; ``end`` is 1440 at midnight.

    ``days`` are the local days on which the span begins, Monday is 0; `EVERY_DAY` is the empty tuple.
    """

    start: int
    end: int
    days: tuple[int, ...] = EVERY_DAY

    def covers(self, minute_of_week: int) -> bool:
        """Return whether the span covers a minute of the local week.

        >>> friday_night = QuietSpan(22 * 60, 7 * 60, (4,))
        >>> [friday_night.covers(day * 1_440 + 6 * 60) for day in (4, 5, 6)]
        [False, True, False]
        """
        day, minute = divmod(minute_of_week, DAY_MINUTES)
        if self.start <= self.end:
            return self.start <= minute < self.end and self._begins_on(day)
        if minute >= self.start:
            return self._begins_on(day)
        return minute < self.end and self._begins_on((day - 1) % WEEK_DAYS)

    def minutes(self) -> Iterator[range]:
        """Yield the minutes of the local week that the span covers, day by day; one span may run into the next week."""
        end = self.end if self.start <= self.end else self.end + DAY_MINUTES
        for day in self.days or range(WEEK_DAYS):
            yield range(day * DAY_MINUTES + self.start, day * DAY_MINUTES + end)

    def _begins_on(self, day: int) -> bool:
        return not self.days or day in self.days


class QuietHours(QuietSpan, frozen=True, array_like=True):
    """Local hours in which nothing may arrive: a span, and further spans that add up with it.

    Rows of earlier versions have two numbers: one span of every day.

    >>> msgspec.json.decode(b"[1320, 420]", type=QuietHours) == QuietHours(1_320, 420)
    True
    """

    others: tuple[QuietSpan, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[QuietSpan]) -> QuietHours:
        """Return the quiet hours of at least one span."""
        first, *others = spans
        return cls(first.start, first.end, first.days, tuple(others))

    @property
    def spans(self) -> tuple[QuietSpan, ...]:
        """All spans, in the order in which they were written."""
        return (QuietSpan(self.start, self.end, self.days), *self.others)

    def week(self) -> bytes:
        """Return a byte for each minute of the local week: 1 where `contain` is true, else 0.

        >>> week, night = QuietHours(22 * 60, 7 * 60).week(), QuietHours(22 * 60, 7 * 60)
        >>> all(week[minute] == night.contain(minute) for minute in range(WEEK_MINUTES))
        True
        """
        quiet = np.zeros((2, WEEK_MINUTES), dtype=np.bool_)  # this week, and the next one
        for minutes in (minutes for span in self.spans for minutes in span.minutes()):
            quiet.reshape(-1)[minutes.start : minutes.stop] = True
        return quiet.any(axis=0).tobytes()

    def contain(self, minute_of_week: int) -> bool:
        """Return whether a minute of the local week (0 is Monday 00:00) lies within a span.

        >>> night = QuietHours(22 * 60, 7 * 60)
        >>> night.contain(23 * 60), night.contain(6 * 60 + 59), night.contain(7 * 60)
        (True, True, False)
        """
        return self.covers(minute_of_week) or any(span.covers(minute_of_week) for span in self.others)
