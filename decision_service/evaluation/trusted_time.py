"""The time of a log in which clocks ran ahead, as later clock corrections show it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf

from decision_service.log.base import StoredRow


class TrustedTime:
    """The latest time that was certainly reached at a position: no later clock correction lies before it.

    Parameters
    ----------
    corrections
        The clock corrections of the log, in position order.

    Examples
    --------
    >>> correction = StoredRow(5, "clock_correction", 60.0, 60.0, 0, None, None, b"")
    >>> time = TrustedTime([correction])
    >>> time.move_to(4)
    >>> time.limit(9_000.0)
    60.0
    >>> time.move_to(5)
    >>> time.limit(9_000.0)
    9000.0
    """

    def __init__(self, corrections: Iterable[StoredRow]) -> None:
        self._earliest: deque[tuple[int, float]] = deque()
        """By position of a correction: the earliest time of it and of all later ones."""
        earliest = inf
        for row in reversed(list(corrections)):
            earliest = min(earliest, row.at)
            self._earliest.appendleft((row.position, earliest))

    def move_to(self, position: int) -> None:
        """Go on to a later position of the log."""
        while self._earliest and self._earliest[0][0] <= position:
            self._earliest.popleft()

    def limit(self, at: float) -> float:
        """Return a time, or the earliest one of the corrections that follow, where this is earlier."""
        return min(at, self._earliest[0][1]) if self._earliest else at
