"""Touches: which sends have touched a shopper lately, and which of them an order is credited to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


class Touches:
    """The touches of each shopper within a window.

    Parameters
    ----------
    window_h
        Hours from a touch to the last order that is credited to its send.
    only_last
        Whether an order is credited to the last send that touched the shopper, or to every one.

    Examples
    --------
    >>> touches = Touches(window_h=24.0, only_last=True)
    >>> touches.add([(7, 10.0, 1), (7, 30.0, 2)])
    >>> touches.credit(7, 33.0), touches.credit(7, 29.0), touches.credit(7, 60.0)
    ([2], [1], [])
    """

    def __init__(self, window_h: float, *, only_last: bool) -> None:
        self._window_h = window_h
        self._only_last = only_last
        self._of_shopper: dict[int, list[tuple[float, int]]] = defaultdict(list)

    def add(self, touches: Iterable[tuple[int, float, int]]) -> None:
        """Add touches: shopper, hour, ticket of the send."""
        for shopper, at, ticket in touches:
            self._of_shopper[shopper].append((at, ticket))

    def credit(self, shopper: int, at: float) -> list[int]:
        """Return the tickets of the sends that an order at this hour is credited to; orders come in their order."""
        touches = self._of_shopper.get(shopper)
        if not touches:
            return []
        within = [touch for touch in touches if at - self._window_h <= touch[0] <= at]
        if self._only_last:
            return [max(within)[1]] if within else []
        return sorted({ticket for _, ticket in within})
