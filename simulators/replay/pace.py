"""Pace: how often a shopper buys, learned from what has been seen so far, and what is due by it."""

from __future__ import annotations

import bisect
import heapq
from collections import defaultdict
from statistics import median

DAY_S = 86_400.0
START_PACE_S = 44 * DAY_S
"""Before any gap was seen: the scale of gaps between orders in Online Retail."""

LAPSED_AFTER = 3.0
"""Paces without an order after which a shopper is to be won back; judgement."""

SHORTEST_S = 2 * DAY_S
"""Orders closer than this are one errand: their gap says nothing about the pace, and nothing is due so soon."""


class Pace:
    """Replenishment and win-back, each at the shopper's own pace.

    The pace is the median gap between a shopper's orders so far; of who has none yet, the median of all
    gaps seen so far. Nothing of the future is used.

    Examples
    --------
    >>> pace = Pace()
    >>> for day in (0, 10, 20):
    ...     pace.ordered("s-1", day * DAY_S)
    >>> [(kind, at / DAY_S) for at, _, kind in pace.due(60 * DAY_S)]
    [('replenishment', 30.0), ('win_back', 50.0)]
    """

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._gaps: dict[str, list[float]] = defaultdict(list)
        self._all: list[float] = []
        self._ahead: list[tuple[float, str, str, float]] = []

    def ordered(self, shopper: str, at: float) -> None:
        """Note an order; what was due after the one before is due no more."""
        last = self._last.get(shopper)
        if last is not None and at - last < SHORTEST_S:
            return
        if last is not None:
            self._gaps[shopper].append(at - last)
            bisect.insort(self._all, at - last)
        self._last[shopper] = at
        pace = self._pace(shopper)
        heapq.heappush(self._ahead, (at + pace, shopper, "replenishment", at))
        heapq.heappush(self._ahead, (at + LAPSED_AFTER * pace, shopper, "win_back", at))

    def _pace(self, shopper: str) -> float:
        if self._gaps[shopper]:
            return median(self._gaps[shopper])
        return self._all[len(self._all) // 2] if self._all else START_PACE_S

    def due(self, until: float) -> list[tuple[float, str, str]]:
        """Take what is due before a time: (when, shopper, trigger), in order."""
        found = []
        while self._ahead and self._ahead[0][0] < until:
            at, shopper, kind, ordered = heapq.heappop(self._ahead)
            if self._last[shopper] == ordered:
                found.append((at, shopper, kind))
        return found
