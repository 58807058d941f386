"""The linger: whether the next batch waits a moment for the callers who got their answers just now.

Callers who ask again as soon as they are answered come right after a batch, and a batch with all of them costs less per
request. Their number stays the same, and so does the number of requests in the pipeline at the end of a batch: those of
the batch, and those that came meanwhile. Some batches end before all callers have asked again, so the greater number of
two batches counts. The number of requests that come at random times changes from batch to batch, and a wait for more
of them would only delay those that wait already. So the pipeline lingers as long as the number mostly stays the same.
"""

from __future__ import annotations

LONGEST_S = 0.004
"""How long the next batch waits at most."""

_LEAST_SHARE = 0.8
_SAME_WITHIN = 1 / 16
_MEMORY = 0.9
"""How much of an observation counts at the next one: about ten of them count."""


class Linger:
    """Says whether the pipeline lingers, from the numbers of requests at the ends of batches.

    Examples
    --------
    >>> linger = Linger()
    >>> for present in (16, 16, 1, 16, 16):
    ...     linger.note(present)
    >>> linger.is_worth()
    True
    >>> for present in (2, 5):
    ...     linger.note(present)
    >>> linger.is_worth()
    False
    """

    def __init__(self) -> None:
        self._last = self._greater = 1
        self._same = self._all = 0.0

    def note(self, present: int) -> None:
        """Note how many requests were in the pipeline at the end of a batch, those of the batch included."""
        before, self._greater, self._last = self._greater, max(present, self._last), present
        if before > 1 or self._greater > 1:  # a lone caller tells nothing
            self._count(self._greater, before)

    def note_linger(self, expected: int, waiting: int) -> None:
        """Note that a linger for so many requests took too long, and how many waited at its end."""
        self._count(expected, waiting)

    def is_worth(self) -> bool:
        """Return whether requests follow answers, so that a wait for them is worth its time."""
        return self._same > _LEAST_SHARE * self._all

    def _count(self, number: int, other: int) -> None:
        self._same = _MEMORY * self._same + (abs(number - other) <= _SAME_WITHIN * number)
        self._all = _MEMORY * self._all + 1
