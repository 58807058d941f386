"""The orders of a shopper: those that the shop credited to sends, and those that came by themselves, each once."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

SAME_WITHIN_S = 86_400.0
"""A purchase and a conversion of equal values are one order if their dates lie no further apart."""


class Order(NamedTuple):
    """An order. ``event_id`` is the send that it is credited to; None for a purchase that the shopper's events tell.

    ``value`` is 0 for a purchase whose value is not known, such as a purchase of an erased shopper.
    """

    at: float
    value: float
    event_id: str | None = None


class KnownOrders:
    """The orders of one shopper in the order of their times.

    A shop may tell one order several times: as a purchase, and as a conversion of each send that the shop credits it
    to, perhaps with dates of different tools. Reports of equal values, with dates of the same day, are one order. A
    purchase without a value is one order with a conversion of the same day. The date of the purchase counts.

    >>> orders = KnownOrders([Order(50.0, 9.9, "e-1"), Order(40.0, 9.9), Order(90.0, 5.0)])
    >>> orders.within(0.0, 50.0), orders.within(40.0, 100.0)
    ((1, 9.9), (2, 14.9))
    """

    def __init__(self, reports: Iterable[Order]) -> None:
        orders = sorted(_distinct(reports))
        self._times = [at for at, _ in orders]
        self._totals = [0.0, *accumulate(value for _, value in orders)]

    def within(self, begins_at: float, ends_at: float) -> tuple[int, float]:
        """Return the number and the value of the orders dated in [begins_at, ends_at)."""
        first, end = bisect_left(self._times, begins_at), bisect_left(self._times, ends_at)
        return end - first, self._totals[end] - self._totals[first]


def _distinct(reports: Iterable[Order]) -> Iterator[tuple[float, float]]:
    """Yield time and value of each order."""
    known, unvalued = defaultdict[float, list[float]](list), list[float]()
    for at, value, event_id in sorted(reports, key=lambda order: (order.event_id is not None, order.at)):
        if event_id is None and not value:
            unvalued.append(at)
            continue
        if event_id is not None:
            if any(abs(at - other) <= SAME_WITHIN_S for other in known[value]):
                continue
            purchased_at = next((other for other in unvalued if abs(at - other) <= SAME_WITHIN_S), None)
            if purchased_at is not None:
                unvalued.remove(purchased_at)
                at = purchased_at
        known[value].append(at)
        yield at, value
    for at in unvalued:
        yield at, 0.0
