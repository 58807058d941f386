"""The pace at which shoppers buy: learned from the orders so far, it says which triggers are due."""

from __future__ import annotations

import bisect
import heapq
from collections import defaultdict
from statistics import median

DAY_S = 86_400.0
START_PACE_S = 44 * DAY_S
"""Pace before any gap between orders is known: the scale of these gaps in Online Retail."""

LAPSED_AFTER = 3.0
"""Paces without an order after which a shopper gets a win-back trigger; judgement."""

SHORTEST_S = 2 * DAY_S
"""Orders closer than this count as one: the gap between them is no pace, and no trigger is due so soon."""


class Pace:
    """Replenishment and win-back triggers at each shopper's pace.

    The pace is the median gap between the shopper's orders so far. For a shopper with one order it is the median of
    the gaps of all shoppers so far. Future orders are not used.

    Examples
    --------
    >>> pace = Pace()
    >>> for day in (0, 10, 20):
    ...     pace.record_order("s-1", day * DAY_S)
    >>> [(kind, at / DAY_S) for at, _, kind in pace.pop_due(60 * DAY_S)]
    [('replenishment', 30.0), ('win_back', 50.0)]
    """

    def __init__(self) -> None:
        self._last_order: dict[str, float] = {}
        self._gaps: dict[str, list[float]] = defaultdict(list)
        self._all_gaps: list[float] = []
        self._scheduled: list[tuple[float, str, str, float]] = []

    def record_order(self, shopper: str, at: float) -> None:
        """Schedule the triggers that follow an order; those of the shopper's order before are dropped."""
        last = self._last_order.get(shopper)
        if last is not None and at - last < SHORTEST_S:
            return
        if last is not None:
            self._gaps[shopper].append(at - last)
            bisect.insort(self._all_gaps, at - last)
        self._last_order[shopper] = at
        pace = self._pace(shopper)
        heapq.heappush(self._scheduled, (at + pace, shopper, "replenishment", at))
        heapq.heappush(self._scheduled, (at + LAPSED_AFTER * pace, shopper, "win_back", at))

    def _pace(self, shopper: str) -> float:
        if self._gaps[shopper]:
            return median(self._gaps[shopper])
        return self._all_gaps[len(self._all_gaps) // 2] if self._all_gaps else START_PACE_S

    def pop_due(self, until: float) -> list[tuple[float, str, str]]:
        """Remove and return the triggers that are due before a time, in order: (time, shopper, trigger type)."""
        due = []
        while self._scheduled and self._scheduled[0][0] < until:
            at, shopper, kind, ordered_at = heapq.heappop(self._scheduled)
            if self._last_order[shopper] == ordered_at:
                due.append((at, shopper, kind))
        return due
