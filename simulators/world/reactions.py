"""Reactions: what shoppers do with the messages that they see."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.records.outcomes import OutcomeType
from simulators import parameters
from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.random_streams import Purpose, to_normals
from simulators.shoppers.mental_state import fade_intent
from simulators.shoppers.response import (
    MEAN_ORDER_VALUE,
    Chances,
    click_probability,
    conversion_probability,
    opt_out_probability,
    visit_order_probability,
)
from simulators.world.deliveries import SeenMessages
from simulators.world.schedule import Schedule
from simulators.world.tick import Tick, TickOutcomes
from simulators.world.triggers import TriggerSchedule
from simulators.world.visits import order_values, place_orders
from simulators.world.world_state import WorldState

_PURPOSES = (
    *(Purpose.click, Purpose.opt_out, Purpose.complaint, Purpose.uninstall, Purpose.return_visit),
    *(Purpose.conversion, Purpose.order_lag, Purpose.value_radius, Purpose.value_angle),
)


def compute_chances(state: WorldState, hour: int, seen: SeenMessages) -> Chances:
    """Return the true probabilities of the reactions to messages that are seen in an hour."""
    intent = fade_intent(seen.intent, hour - seen.decided)
    reader = state.mental_state.reader_state(hour, seen.shopper, seen.message, intent)
    appeal = state.appeal_logits(hour, seen.shopper, seen.message, seen.channel)
    channels = state.messages.channels
    base = channels.opt_out[seen.channel] * state.population.irritability[seen.shopper]
    return Chances(
        click=click_probability(appeal, reader, seen.triggered),
        order=conversion_probability(intent, reader.need),
        opt_out=opt_out_probability(base, reader.overload, seen.at_night),
        return_visit=channels.returning[seen.channel],
        # A shopper who returns because of a message looks at its product.
        order_on_return=visit_order_probability(np.maximum(intent, parameters.VIEW_INTENT), reader.need),
    )


class Reactions:
    """Lets shoppers react to messages: click, opt out, return, order later, and tire."""

    def __init__(self, state: WorldState, trigger_schedule: TriggerSchedule) -> None:
        self._state = state
        self._trigger_schedule = trigger_schedule
        names = state.messages.channels.names
        self._email = names.index("email") if "email" in names else -1
        self._per_send = 1.0 / state.messages.channels.looked
        self._visits = Schedule({"ticket": np.int64, "shopper": np.int64, "value": np.float64})
        self._reports = Schedule({"kind": np.int8, "ticket": np.int64, "at": np.float64, "value": np.float64})

    def advance(self, tick: Tick, seen: SeenMessages) -> None:
        """Let shoppers react to the messages of this hour, and let those visit who return now."""
        if len(seen.ticket):
            self._react(tick, seen)
        due, visits = self._visits.pop(tick.hour + 1)
        if len(due):
            self._return(tick, due, visits)
        if len(self._reports):
            self._release_reports(tick)

    def _react(self, tick: Tick, seen: SeenMessages) -> None:
        state, hour = self._state, tick.hour
        uniforms = dict(zip(_PURPOSES, state.streams.uniforms(hour, _PURPOSES, seen.positions), strict=True))
        chances = compute_chances(state, hour, seen)
        clicked = uniforms[Purpose.click] < chances.click
        out = np.where(clicked, parameters.OPT_OUT_FACTOR_AFTER_CLICK, 1.0) * chances.opt_out
        tick.chances.append((seen.ticket, chances))
        self._book_expected_orders(hour, seen, chances)
        self._tire(hour, seen, clicked)
        opened = seen.channel == self._email
        if opened.any():
            self._report(tick, "open", seen.ticket[opened], seen.shopper[opened], seen.at[opened])
        if clicked.any():
            self._report(tick, "click", seen.ticket[clicked], seen.shopper[clicked], seen.at[clicked])
            self._visit(tick, seen.shopper[clicked])
        self._opt_out(tick, seen, uniforms, out)
        self._uninstall(tick, seen, uniforms, out)
        self._plan_returns(seen, clicked, chances, uniforms)

    def _book_expected_orders(self, hour: int, seen: SeenMessages, p: Chances) -> None:
        orders = p.click * p.order + (1.0 - p.click) * p.return_visit * p.order_on_return
        margins = orders * (parameters.MARGIN * MEAN_ORDER_VALUE)
        self._state.margins.book_expected_orders(self._state.week(hour), seen.shopper, margins)

    def _tire(self, hour: int, seen: SeenMessages, clicked: BoolArray) -> None:
        """Add load and staleness, and change the attention."""
        mental, per_send = self._state.mental_state, self._per_send[seen.channel]
        loads = self._state.messages.channels.weight[seen.channel]
        mental.record_views(hour, seen.shopper, seen.message, loads, per_send)
        change = np.where(clicked, parameters.ATTENTION_CLICK, -parameters.ATTENTION_IGNORE * per_send)
        mental.change_attention(hour, seen.shopper, change)

    def _opt_out(self, tick: Tick, seen: SeenMessages, uniforms: dict[Purpose, FloatArray], out: FloatArray) -> None:
        """Let shoppers opt out of a channel, some with a complaint.

        Opt-outs and complaints are reported at once in every scenario, as the law demands.
        """
        state, channels = self._state, self._state.messages.channels
        leaves = (uniforms[Purpose.opt_out] < out) & state.consent[seen.shopper, seen.channel]
        if leaves.any():
            complains = leaves & (uniforms[Purpose.complaint] < channels.complaints[seen.channel])
            state.withdraw_consent(seen.shopper[leaves], seen.channel[leaves])
            quiet = leaves & ~complains
            tick.outcomes.append(TickOutcomes("opt_out", seen.ticket[quiet], seen.at[quiet]))
            if complains.any():
                tick.outcomes.append(TickOutcomes("complaint", seen.ticket[complains], seen.at[complains]))

    def _uninstall(self, tick: Tick, seen: SeenMessages, uniforms: dict[Purpose, FloatArray], out: FloatArray) -> None:
        """Let shoppers uninstall the app: consent to all its channels ends."""
        channels = self._state.messages.channels
        uninstalls = uniforms[Purpose.uninstall] < parameters.UNINSTALL_SHARE * out
        uninstalls &= channels.of_app[seen.channel]
        if uninstalls.any():
            shoppers = np.unique(seen.shopper[uninstalls])
            for channel in np.flatnonzero(channels.of_app):
                self._state.withdraw_consent(shoppers, np.full(len(shoppers), channel))
            tick.uninstalled = shoppers

    def _plan_returns(
        self, seen: SeenMessages, clicked: BoolArray, chances: Chances, uniforms: dict[Purpose, FloatArray]
    ) -> None:
        """Draw who orders after the click, and who visits later without a click."""
        returns = ~clicked & (uniforms[Purpose.return_visit] < chances.return_visit)
        orders = uniforms[Purpose.conversion] < np.where(clicked, chances.order, chances.order_on_return)
        comes = np.flatnonzero(returns | (clicked & orders))
        if not len(comes):
            return
        lag = self._draw_lag(uniforms[Purpose.order_lag][comes], clicked[comes])
        normal = to_normals(uniforms[Purpose.value_radius][comes], uniforms[Purpose.value_angle][comes])
        value = np.where(orders[comes], order_values(normal), 0.0)
        self._visits.add(seen.at[comes] + lag, ticket=seen.ticket[comes], shopper=seen.shopper[comes], value=value)

    def _draw_lag(self, uniform: FloatArray, clicked: BoolArray) -> FloatArray:
        """Draw the hours until the visit: most orders follow a click within minutes, all others within a week."""
        later = uniform < parameters.LATER_ORDERS
        spread = -np.log1p(-np.where(later, uniform / parameters.LATER_ORDERS, 0.0)) * parameters.ORDER_LAG_H
        horizon = parameters.ORDER_HORIZON_H
        after_click = np.minimum(0.2 + spread * self._state.scenario.order_lag_factor, horizon)
        after_reading = np.minimum(0.2 - np.log1p(-uniform) * parameters.RETURN_LAG_H, horizon)
        return np.where(clicked, after_click, after_reading)

    def _return(self, tick: Tick, due: FloatArray, visits: dict[str, NDArray[Any]]) -> None:
        """Let shoppers visit because of a message that they read before; an order has a value above 0."""
        state, ticket, shopper, value = self._state, visits["ticket"], visits["shopper"], visits["value"]
        self._visit(tick, shopper)
        orders = np.flatnonzero(value > 0.0)
        if len(orders):
            state.margins.attribute_orders(shopper[orders], parameters.MARGIN * value[orders])
            place_orders(tick, state, self._trigger_schedule, shopper[orders], value[orders])
            self._report(tick, "conversion", ticket[orders], shopper[orders], due[orders], value[orders])

    def _visit(self, tick: Tick, shoppers: Indices) -> None:
        self._state.mental_state.raise_intent(tick.hour, shoppers, parameters.VIEW_INTENT)
        self._trigger_schedule.schedule_win_back(tick.hour, shoppers)
        tick.visitors.append(shoppers)

    def _report(
        self,
        tick: Tick,
        kind: OutcomeType,
        tickets: Indices,
        shoppers: Indices,
        at: FloatArray,
        values: FloatArray | None = None,
    ) -> None:
        """Report outcomes, now or after the scenario's delay."""
        mean = self._state.scenario.report_lag_h
        if mean == 0.0:
            tick.outcomes.append(TickOutcomes(kind, tickets, at, values))
            return
        (uniform,) = self._state.streams.uniforms(tick.hour, [Purpose.report_lag], shoppers)
        self._reports.add(
            tick.hour - np.log1p(-uniform) * mean,
            kind=np.full(len(tickets), _REPORTED.index(kind), dtype=np.int8),
            ticket=tickets,
            at=at,
            value=np.zeros(len(tickets)) if values is None else values,
        )

    def _release_reports(self, tick: Tick) -> None:
        _, reports = self._reports.pop(tick.hour + 1)
        for number, kind in enumerate(_REPORTED):
            chosen = reports["kind"] == number
            if chosen.any():
                values = reports["value"][chosen] if kind == "conversion" else None
                tick.outcomes.append(TickOutcomes(kind, reports["ticket"][chosen], reports["at"][chosen], values))


_REPORTED: tuple[OutcomeType, ...] = ("open", "click", "conversion")
"""Outcomes that `Scenario.report_lag_h` delays."""
