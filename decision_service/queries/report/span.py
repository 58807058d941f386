"""The span of time that a report is about."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Span:
    """Times from ``start`` on and before ``end``, in epoch seconds.

    >>> 10.0 in Span(10.0, 20.0), 20.0 in Span(10.0, 20.0), 5.0 in Span()
    (True, False, True)
    """

    start: float = -inf
    end: float = inf

    def __contains__(self, at: float) -> bool:
        """Return whether a time lies within the span."""
        return self.start <= at < self.end
