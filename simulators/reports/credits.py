"""Credits: the shop's tools credit orders to sends by a rule, and take refunds off the same sends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from simulators.arrays import FloatArray, Indices
from simulators.reports.tickets import Tickets
from simulators.reports.touches import Touches
from simulators.scenarios.report_rules import ReportRules, Touch
from simulators.world.tick import Tick, TickEvents, TickOutcomes

_TOUCHING: dict[Touch, frozenset[str]] = {
    "delivery": frozenset({"delivered"}),
    "open": frozenset({"open", "click"}),
    "click": frozenset({"click"}),
}
"""What counts as a touch → the types of outcomes."""


@dataclass(frozen=True)
class _Order:
    """An order; ``ticket`` is the send that caused the order, None if no message did."""

    shopper: int
    at: float
    value: float
    ticket: int | None


class Credits:
    """The credits of a shop's orders, by the rules of its reports.

    Attributes
    ----------
    orders, orders_anyway
        Orders so far that were credited to a send, and those of them that no message caused.
    """

    def __init__(self, rules: ReportRules, tickets: Tickets) -> None:
        self._rules = rules
        self._tickets = tickets
        self._touches = Touches(rules.window_h, only_last=rules.attribution == "last_touch")
        self._credits: dict[tuple[int, float], list[int]] = {}
        self.orders = self.orders_anyway = 0

    def add_touches(self, outcomes: Iterable[TickOutcomes]) -> None:
        """Add the outcomes by which a send touches a shopper."""
        touching = _TOUCHING[self._rules.touch]
        for of_kind in outcomes:
            if of_kind.kind in touching:
                shoppers = self._tickets.shoppers(of_kind.tickets).tolist()
                self._touches.add(zip(shoppers, of_kind.at.tolist(), of_kind.tickets.tolist(), strict=True))

    def credit_orders(self, tick: Tick, outside: TickEvents | None) -> Iterator[TickOutcomes]:
        """Yield the orders of an hour as conversions of the sends that they are credited to."""
        rows = []
        for order in sorted(self._orders(tick, outside), key=lambda order: (order.at, order.shopper)):
            tickets = self._find_tickets(order)
            if tickets:
                self.orders += 1
                self.orders_anyway += order.ticket is None
                self._credits[order.shopper, order.value] = tickets
                rows += [(ticket, order.at, order.value) for ticket in tickets]
        yield from _valued_outcomes("conversion", rows)

    def credit_refunds(self, tick: Tick) -> Iterator[TickOutcomes]:
        """Yield the refunds of an hour as outcomes of the sends that their orders were credited to."""
        if not self._rules.net_of_refunds:
            return
        credits = ((self._credits.pop((shopper, value), []), at, value) for shopper, at, value in self._refunds(tick))
        yield from _valued_outcomes(
            "refund", [(ticket, at, value) for tickets, at, value in credits for ticket in tickets]
        )

    def _find_tickets(self, order: _Order) -> list[int]:
        if self._rules.attribution == "cause":
            return [] if order.ticket is None else [order.ticket]
        return self._touches.credit(order.shopper, order.at)

    def _orders(self, tick: Tick, outside: TickEvents | None) -> Iterator[_Order]:
        for outcomes in tick.outcomes:
            if outcomes.kind == "conversion" and outcomes.values is not None:
                for ticket, at, value in _rows(outcomes.tickets, outcomes.at, outcomes.values):
                    yield _Order(self._tickets.shopper(ticket), at, value, ticket)
        for events in [*tick.events, *([outside] if outside is not None else [])]:
            if events.kind == "purchase" and events.values is not None:
                for shopper, at, value in _rows(events.shoppers, events.at, events.values):
                    yield _Order(shopper, at, value, None)

    def _refunds(self, tick: Tick) -> list[tuple[int, float, float]]:
        """Return the refunds of an hour: shopper, hour, value."""
        refunds: list[tuple[int, float, float]] = []
        for outcomes in tick.outcomes:
            if outcomes.kind == "refund" and outcomes.values is not None:
                refunds += _rows(self._tickets.shoppers(outcomes.tickets), outcomes.at, outcomes.values)
        for events in tick.events:
            if events.kind == "refund" and events.values is not None:
                refunds += _rows(events.shoppers, events.at, events.values)
        return refunds


def _rows(numbers: Indices, at: FloatArray, values: FloatArray) -> list[tuple[int, float, float]]:
    """Return columns as rows; the numbers are those of shoppers, or tickets."""
    return list(zip(numbers.tolist(), at.tolist(), values.tolist(), strict=True))


def _valued_outcomes(kind: str, rows: list[tuple[int, float, float]]) -> Iterator[TickOutcomes]:
    """Yield outcomes of a type with values, if there are any: ticket, hour, value."""
    if rows:
        tickets, at, values = zip(*rows, strict=True)
        yield TickOutcomes(kind, np.array(tickets), np.array(at), np.array(values))
