"""Reactions: what shoppers do with the messages they see."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators import parameters as of
from simulators.random_streams import FloatArray, Purpose, normals
from simulators.shoppers.mental_state import faded_intent
from simulators.shoppers.response import MEAN_VALUE, Chances, click, conversion, opt_out, own_order
from simulators.world.deliveries import Seen
from simulators.world.schedule import Schedule
from simulators.world.tick import Rows, Tick, TickOutcomes
from simulators.world.triggers import TriggerSchedule
from simulators.world.visits import buy, order_values
from simulators.world.world_state import WorldState

_PURPOSES = (
    *(Purpose.click, Purpose.opt_out, Purpose.complaint, Purpose.uninstall, Purpose.return_visit),
    *(Purpose.conversion, Purpose.order_lag, Purpose.value_radius, Purpose.value_angle),
)
BoolArray = NDArray[np.bool_]


def chances(society: WorldState, tick: int, seen: Seen) -> Chances:
    """Give the true probabilities of what comes of messages seen in a tick."""
    intent = faded_intent(seen.intent, tick - seen.decided)
    mood = society.moods.at(tick, seen.shopper, seen.message, intent)
    appeal = society.appeals(tick, seen.shopper, seen.message, seen.channel)
    channels = society.repertoire.channels
    base = channels.opt_out[seen.channel] * society.population.irritability[seen.shopper]
    return Chances(
        click=click(appeal, mood, seen.triggered),
        order=conversion(intent, mood.need),
        out=opt_out(base, mood.overload, seen.at_night),
        returns=channels.returning[seen.channel],
        # Who comes because of what they read looks at it.
        returned_order=own_order(np.maximum(intent, of.VIEW_INTENT), mood.need),
    )


class Reactions:
    """Lets shoppers see messages: they click, leave, come back, order later, and tire."""

    def __init__(self, society: WorldState, occasions: TriggerSchedule) -> None:
        self._society = society
        self._occasions = occasions
        names = society.repertoire.channels.names
        self._email = names.index("email") if "email" in names else -1
        self._per_send = 1.0 / society.repertoire.channels.looked
        self._visits = Schedule({"ticket": np.int64, "shopper": np.int64, "value": np.float64})
        self._reports = Schedule({"kind": np.int8, "ticket": np.int64, "at": np.float64, "value": np.float64})

    def pass_hour(self, hour: Tick, seen: Seen) -> None:
        """Let shoppers react to what they see in this tick, and later orders of earlier readers come."""
        if len(seen.ticket):
            self._react(hour, seen)
        due, visits = self._visits.pop(hour.tick + 1)
        if len(due):
            self._come(hour, due, visits)
        if len(self._reports):
            self._release(hour)

    def _react(self, hour: Tick, seen: Seen) -> None:
        society, tick = self._society, hour.tick
        uniforms = dict(zip(_PURPOSES, society.streams.uniforms(tick, _PURPOSES, seen.positions), strict=True))
        p = chances(society, tick, seen)
        clicked = uniforms[Purpose.click] < p.click
        hazard = np.where(clicked, of.OUT_IF_CLICKED, 1.0) * p.out
        hour.chances.append((seen.ticket, p))
        self._expect(tick, seen, p)
        self._tire(tick, seen, clicked)
        opened = seen.channel == self._email
        if opened.any():
            self._report(hour, "open", seen.ticket[opened], seen.at[opened])
        if clicked.any():
            self._report(hour, "click", seen.ticket[clicked], seen.at[clicked])
            society.moods.wants(tick, seen.shopper[clicked], of.VIEW_INTENT)
            self._occasions.visited(tick, seen.shopper[clicked])
            hour.visitors.append(seen.shopper[clicked])
        self._leave(hour, seen, uniforms, hazard)
        self._plan(seen, clicked, p, uniforms)

    def _expect(self, tick: int, seen: Seen, p: Chances) -> None:
        orders = p.click * p.order + (1.0 - p.click) * p.returns * p.returned_order
        self._society.ledger.expects(self._society.week(tick), seen.shopper, orders * (of.MARGIN * MEAN_VALUE))

    def _tire(self, tick: int, seen: Seen, clicked: BoolArray) -> None:
        moods, per_send = self._society.moods, self._per_send[seen.channel]
        moods.saw(tick, seen.shopper, seen.message, self._society.repertoire.channels.weight[seen.channel], per_send)
        moods.attended(tick, seen.shopper, np.where(clicked, of.ATTENTION_CLICK, -of.ATTENTION_IGNORE * per_send))

    def _leave(self, hour: Tick, seen: Seen, uniforms: dict[Purpose, FloatArray], hazard: FloatArray) -> None:
        society, channels = self._society, self._society.repertoire.channels
        leaves = (uniforms[Purpose.opt_out] < hazard) & society.consent[seen.shopper, seen.channel]
        if leaves.any():
            complains = leaves & (uniforms[Purpose.complaint] < channels.complaints[seen.channel])
            society.leave(seen.shopper[leaves], seen.channel[leaves])
            quiet = leaves & ~complains
            # What ends consent is told at once in every scenario: the law asks for it.
            hour.outcomes.append(TickOutcomes("opt_out", seen.ticket[quiet], seen.at[quiet]))
            if complains.any():
                hour.outcomes.append(TickOutcomes("complaint", seen.ticket[complains], seen.at[complains]))
        goes = (uniforms[Purpose.uninstall] < of.UNINSTALL_SHARE * hazard) & channels.of_app[seen.channel]
        if goes.any():
            gone = np.unique(seen.shopper[goes])
            for channel in np.flatnonzero(channels.of_app):
                society.leave(gone, np.full(len(gone), channel))
            hour.uninstalled = gone

    def _plan(self, seen: Seen, clicked: BoolArray, p: Chances, uniforms: dict[Purpose, FloatArray]) -> None:
        """Draw who orders after the click, and who comes by later without one."""
        returns = ~clicked & (uniforms[Purpose.return_visit] < p.returns)
        orders = uniforms[Purpose.conversion] < np.where(clicked, p.order, p.returned_order)
        comes = np.flatnonzero(returns | (clicked & orders))
        if not len(comes):
            return
        lag = self._lag(uniforms[Purpose.order_lag][comes], clicked[comes])
        normal = normals(uniforms[Purpose.value_radius][comes], uniforms[Purpose.value_angle][comes])
        value = np.where(orders[comes], order_values(normal), 0.0)
        self._visits.add(seen.at[comes] + lag, ticket=seen.ticket[comes], shopper=seen.shopper[comes], value=value)

    def _lag(self, uniform: FloatArray, clicked: BoolArray) -> FloatArray:
        """Give the hours until the visit: most orders follow the click within minutes, the rest within a week."""
        later = uniform < of.LATER_ORDERS
        spread = -np.log1p(-np.where(later, uniform / of.LATER_ORDERS, 0.0)) * of.ORDER_LAG_H
        after_click = np.minimum(0.2 + spread * self._society.scenario.order_lag, of.ORDER_HORIZON_H)
        after_reading = np.minimum(0.2 - np.log1p(-uniform) * of.RETURN_LAG_H, of.ORDER_HORIZON_H)
        return np.where(clicked, after_click, after_reading)

    def _come(self, hour: Tick, due: FloatArray, visits: dict[str, NDArray[Any]]) -> None:
        society, ticket, shopper, value = self._society, visits["ticket"], visits["shopper"], visits["value"]
        hour.visitors.append(shopper)
        self._occasions.visited(hour.tick, shopper)
        society.moods.wants(hour.tick, shopper, of.VIEW_INTENT)
        orders = np.flatnonzero(value > 0.0)
        if len(orders):
            society.ledger.attribute(shopper[orders], of.MARGIN * value[orders])
            buy(hour, society, self._occasions, shopper[orders], value[orders])
            self._report(hour, "conversion", ticket[orders], due[orders], value[orders])

    def _report(self, hour: Tick, kind: str, tickets: Rows, at: FloatArray, values: FloatArray | None = None) -> None:
        """Tell outcomes, now or as late as the scenario has it."""
        mean = self._society.scenario.report_lag_h
        if mean == 0.0:
            hour.outcomes.append(TickOutcomes(kind, tickets, at, values))
            return
        (uniform,) = self._society.streams.uniforms(hour.tick, [Purpose.report_lag], tickets)
        self._reports.add(
            hour.tick - np.log1p(-uniform) * mean,
            kind=np.full(len(tickets), _LATE.index(kind), dtype=np.int8),
            ticket=tickets,
            at=at,
            value=np.zeros(len(tickets)) if values is None else values,
        )

    def _release(self, hour: Tick) -> None:
        _, rows = self._reports.pop(hour.tick + 1)
        for number, kind in enumerate(_LATE):
            own = rows["kind"] == number
            if own.any():
                values = rows["value"][own] if kind == "conversion" else None
                hour.outcomes.append(TickOutcomes(kind, rows["ticket"][own], rows["at"][own], values))


_LATE = ("open", "click", "conversion")
