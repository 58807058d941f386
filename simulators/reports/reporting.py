"""Reporting: turns the events of a world into the reports that its shop gets.

The shop's tools see deliveries, opens and clicks, those of machines among them, and credit orders to sends by a rule.
Then reports are lost, delayed or repeated on their way to the shop. Reports change no event of the
world: they use separate random numbers, and values and margins are those of the events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.random_streams import Purpose
from simulators.report_rules import TRUE_REPORTS, Touch
from simulators.reports.losses import KINDS, Losses, select
from simulators.reports.touches import Touches
from simulators.world.deliveries import Sends, stream_positions
from simulators.world.tick import Tick, TickEvents, TickOutcomes, TickTriggers
from simulators.world.world import World

_MACHINE_CLICK_H = 0.01
"""Hours from the arrival of an e-mail to the clicks of a scanner."""

_OF_VISITS = frozenset({"session", "product_view", "product_viewed", "cart_abandoned", "wishlist"})
"""Events and triggers of visits, which the shop knows only if it recognises the shopper."""

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


class Reporting:
    """Reports to the shop of a world, by the rules of the world's scenario.

    Attributes
    ----------
    credited, credited_anyway
        Orders so far that were credited to a send, and those of them that no message caused.
    """

    def __init__(self, world: World) -> None:
        rules, streams, size = world.scenario.reports, world.state.streams, world.state.size
        self._rules = rules
        self._streams = streams
        self._channels = world.messages.channels.names
        self._losses = Losses(rules, streams)
        self._touches = Touches(rules.window_h, only_last=rules.attribution == "last_touch")
        self._sends: dict[int, tuple[int, int, str]] = {}
        self._credits: dict[tuple[int, float], list[int]] = {}
        self.credited = self.credited_anyway = 0

        def draw(name: str, share: float) -> BoolArray:
            return streams.draw_column(name, size, lambda random, count: random.random(count) < share)

        self._opened_by_machines = draw("machine opens", rules.machine_opens)
        self._clicked_by_machines = draw("machine clicks", rules.machine_clicks)
        self._in_wrong_zone = draw("wrong zone", rules.wrong_zones)

    @property
    def are_true(self) -> bool:
        """Whether every report is true."""
        return self._rules == TRUE_REPORTS

    def record_sends(self, sends: Sends) -> None:
        """Remember whom sends go to; their tickets must not repeat."""
        if self.are_true:
            return
        positions = stream_positions(sends.shoppers, sends.messages, sends.channels)
        columns = (sends.tickets, sends.shoppers, positions, sends.channels)
        for ticket, shopper, position, channel in zip(*(column.tolist() for column in columns), strict=True):
            self._sends[ticket] = (shopper, position, self._channels[channel])

    def report(self, tick: Tick, outside: TickEvents | None = None) -> Tick:
        """Return the report of an hour.

        Parameters
        ----------
        outside
            Orders of this hour that the world did not simulate, as those of a replay.
        """
        if self.are_true:
            return tick
        seen = [*(one for one in tick.outcomes if one.kind not in ("conversion", "refund")), *self._machines(tick)]
        touching = _TOUCHING[self._rules.touch]
        for of_kind in seen:
            if of_kind.kind in touching:
                shoppers = self._shoppers(of_kind.tickets).tolist()
                self._touches.add(zip(shoppers, of_kind.at.tolist(), of_kind.tickets.tolist(), strict=True))
        reports = [one for one in seen if one.kind in KINDS]
        reports += [*self._credit_orders(tick, outside), *self._credit_refunds(tick)]
        by_position = ((self._in_zone(tick.hour, one), self._positions(one.tickets)) for one in reports)
        outcomes = [one for one in seen if one.kind not in KINDS] + self._losses.pass_on(tick.hour, by_position)
        return replace(tick, outcomes=outcomes, events=self._events(tick), triggers=self._triggers(tick))

    def _shoppers(self, tickets: Indices) -> Indices:
        return np.array([self._sends[ticket][0] for ticket in tickets.tolist()], dtype=np.int64)

    def _positions(self, tickets: Indices) -> Indices:
        return np.array([self._sends[ticket][1] for ticket in tickets.tolist()], dtype=np.int64)

    def _machines(self, tick: Tick) -> Iterator[TickOutcomes]:
        """Yield what machines do with the e-mails that arrive in an hour."""
        for outcomes in tick.outcomes:
            if outcomes.kind != "delivered" or not len(outcomes.tickets):
                continue
            email = np.array([self._sends[ticket][2] == "email" for ticket in outcomes.tickets.tolist()])
            shoppers = self._shoppers(outcomes.tickets)
            opened = select(outcomes, np.flatnonzero(email & self._opened_by_machines[shoppers]))
            clicked = select(outcomes, np.flatnonzero(email & self._clicked_by_machines[shoppers]))
            yield TickOutcomes("open", opened.tickets, opened.at)
            yield TickOutcomes("click", clicked.tickets, clicked.at + _MACHINE_CLICK_H)

    def _credit_orders(self, tick: Tick, outside: TickEvents | None) -> Iterator[TickOutcomes]:
        """Yield the orders of an hour as conversions of the sends that they are credited to."""
        rows = []
        for order in sorted(self._orders(tick, outside), key=lambda order: (order.at, order.shopper)):
            tickets = self._credit(order)
            if tickets:
                self.credited += 1
                self.credited_anyway += order.ticket is None
                self._credits[order.shopper, order.value] = tickets
                rows += [(ticket, order.at, order.value) for ticket in tickets]
        yield from _valued_outcomes("conversion", rows)

    def _credit(self, order: _Order) -> list[int]:
        if self._rules.attribution == "cause":
            return [] if order.ticket is None else [order.ticket]
        return self._touches.credit(order.shopper, order.at)

    def _orders(self, tick: Tick, outside: TickEvents | None) -> Iterator[_Order]:
        for outcomes in tick.outcomes:
            if outcomes.kind == "conversion" and outcomes.values is not None:
                for ticket, at, value in _rows(outcomes.tickets, outcomes.at, outcomes.values):
                    yield _Order(self._sends[ticket][0], at, value, ticket)
        for events in [*tick.events, *([outside] if outside is not None else [])]:
            if events.kind == "purchase" and events.values is not None:
                for shopper, at, value in _rows(events.shoppers, events.at, events.values):
                    yield _Order(shopper, at, value, None)

    def _credit_refunds(self, tick: Tick) -> Iterator[TickOutcomes]:
        """Yield the refunds of an hour as outcomes of the sends that their orders were credited to."""
        if not self._rules.net_of_refunds:
            return
        refunds: list[tuple[int, float, float]] = []
        for outcomes in tick.outcomes:
            if outcomes.kind == "refund" and outcomes.values is not None:
                refunds += _rows(self._shoppers(outcomes.tickets), outcomes.at, outcomes.values)
        for events in tick.events:
            if events.kind == "refund" and events.values is not None:
                refunds += _rows(events.shoppers, events.at, events.values)
        credits = ((self._credits.pop((shopper, value), []), at, value) for shopper, at, value in refunds)
        yield from _valued_outcomes(
            "refund", [(ticket, at, value) for tickets, at, value in credits for ticket in tickets]
        )

    def _in_zone(self, hour: int, outcomes: TickOutcomes) -> TickOutcomes:
        """Return outcomes with the times that are reported: not after this hour, nor before the calendar."""
        wrong = self._in_wrong_zone[self._shoppers(outcomes.tickets)]
        at = np.clip(outcomes.at + self._rules.zone_error_h, 0.0, hour + 1.0)
        return replace(outcomes, at=np.where(wrong, at, outcomes.at))

    def _events(self, tick: Tick) -> list[TickEvents]:
        known_events = []
        for events in tick.events:
            if events.kind in _OF_VISITS:
                known = self._recognises(tick.hour, events.shoppers)
                category = None if events.category is None else events.category[known]
                events = replace(events, shoppers=events.shoppers[known], at=events.at[known], category=category)
            known_events.append(events)
        return known_events

    def _triggers(self, tick: Tick) -> list[TickTriggers]:
        known_triggers = []
        for triggers in tick.triggers:
            if triggers.kind in _OF_VISITS:
                known = self._recognises(tick.hour, triggers.shoppers)
                category = None if triggers.category is None else triggers.category[known]
                triggers = TickTriggers(triggers.kind, triggers.shoppers[known], category)
            known_triggers.append(triggers)
        return known_triggers

    def _recognises(self, hour: int, shoppers: Indices) -> BoolArray:
        """Return in which of the visits of an hour the shop recognises the shopper."""
        (uniform,) = self._streams.uniforms(hour, [Purpose.recognised], shoppers)
        return np.asarray(uniform < self._rules.recognised)


def _rows(numbers: Indices, at: FloatArray, values: FloatArray) -> list[tuple[int, float, float]]:
    """Return columns as rows; the numbers are those of shoppers, or tickets."""
    return list(zip(numbers.tolist(), at.tolist(), values.tolist(), strict=True))


def _valued_outcomes(kind: str, rows: list[tuple[int, float, float]]) -> Iterator[TickOutcomes]:
    """Yield outcomes of a type with values, if there are any: ticket, hour, value."""
    if rows:
        tickets, at, values = zip(*rows, strict=True)
        yield TickOutcomes(kind, np.array(tickets), np.array(at), np.array(values))
