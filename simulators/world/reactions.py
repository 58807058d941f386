"""Reactions: what shoppers do with the messages that they see."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.records.outcomes import OutcomeType
from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.random_streams import Purpose, to_normals
from simulators.shoppers.mental_state import fade_intent
from simulators.shoppers.response import (
    Chances,
    click_probability,
    conversion_probability,
    opt_out_probability,
    return_probability,
    tired_logit,
    visit_order_probability,
)
from simulators.world.consents import losses_per_opt_out
from simulators.world.deliveries import SeenMessages
from simulators.world.order_book import OrderBook, order_values
from simulators.world.schedule import Schedule
from simulators.world.tick import Tick, TickOutcomes
from simulators.world.triggers import TriggerSchedule
from simulators.world.world_state import WorldState

_PURPOSES = (
    *(Purpose.click, Purpose.opt_out, Purpose.complaint, Purpose.uninstall, Purpose.return_visit),
    *(Purpose.conversion, Purpose.order_lag, Purpose.value_radius, Purpose.value_angle),
    Purpose.lapse_after_opt_out,
)


def compute_chances(state: WorldState, hour: int, seen: SeenMessages) -> Chances:
    """Return the true probabilities of the reactions to messages that are seen in an hour."""
    parameters, channels = state.scenario.parameters, state.messages.channels
    intent = fade_intent(seen.intent, hour - seen.decided, parameters)
    reader = state.mental_state.reader_state(hour, seen.shopper, seen.message)
    appeal = state.appeal_logits(hour, seen.shopper, seen.message, seen.channel)
    tired, promotion = tired_logit(reader, parameters), state.order_factor(hour)
    base = channels.opt_out[seen.channel] * state.population.irritability[seen.shopper]
    opt_out = opt_out_probability(base, reader.overload, seen.at_night, parameters)
    lift = channels.per_intent[seen.channel] * intent * seen.triggered
    # A shopper who returns because of a message looks at its product.
    interest = np.maximum(intent, parameters.view_intent)
    return Chances(
        click=click_probability(appeal, lift, tired, reader.attention),
        order=conversion_probability(intent, reader.need, promotion, parameters),
        opt_out=opt_out,
        opt_out_after_click=parameters.opt_out_factor_after_click * opt_out,
        return_visit=return_probability(channels.returning[seen.channel], tired, reader.attention),
        order_on_return=visit_order_probability(interest, reader.need, promotion, parameters),
        kept=1.0 - state.population.refunds[seen.shopper].astype(np.float64),
    )


class Reactions:
    """Lets shoppers react to messages: click, opt out, return, order later, and tire."""

    def __init__(self, state: WorldState, trigger_schedule: TriggerSchedule, orders: OrderBook) -> None:
        self._state = state
        self._parameters = state.scenario.parameters
        self._trigger_schedule = trigger_schedule
        self._orders = orders
        names = state.messages.channels.names
        self._email = names.index("email") if "email" in names else -1
        self._ignored = -self._parameters.attention_ignore * (1.0 / state.messages.channels.looked)
        self._lost_per_opt_out = losses_per_opt_out(state.messages.channels, self._parameters)
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
        out = np.where(clicked, chances.opt_out_after_click, chances.opt_out)
        tick.chances.append((seen.ticket, chances))
        self._book_expected_orders(hour, seen, chances)
        self._book_lost_consents(seen, chances)
        self._tire(hour, seen, clicked)
        opened = (seen.channel == self._email).nonzero()[0]
        if len(opened):
            self._report(tick, "open", seen.ticket[opened], seen.shopper[opened], seen.at[opened])
        clickers = clicked.nonzero()[0]
        if len(clickers):
            self._report(tick, "click", seen.ticket[clickers], seen.shopper[clickers], seen.at[clickers])
            self._visit(tick, seen.shopper[clickers])
        self._opt_out(tick, seen, uniforms, out)
        self._uninstall(tick, seen, uniforms, out)
        self._plan_returns(seen, clicked, chances, uniforms)

    def _book_expected_orders(self, hour: int, seen: SeenMessages, p: Chances) -> None:
        margins = p.kept_orders * (self._parameters.margin * self._parameters.mean_order_value)
        self._state.margins.book_expected_orders(self._state.week(hour), seen.shopper, margins)

    def _book_lost_consents(self, seen: SeenMessages, p: Chances) -> None:
        state = self._state
        active = ~state.mental_state.lapsed[seen.shopper]
        lost = (p.withdrawals * active)[:, None] * self._lost_per_opt_out.take(seen.channel, axis=0)
        state.consent_losses.book(seen.shopper, lost * state.consent.take(seen.shopper, axis=0))

    def _tire(self, hour: int, seen: SeenMessages, clicked: BoolArray) -> None:
        """Add load and staleness, and change the attention."""
        mental = self._state.mental_state
        loads = self._state.messages.channels.weight[seen.channel]
        mental.record_views(hour, seen.shopper, seen.message, loads)
        change = np.where(clicked, self._parameters.attention_click, self._ignored[seen.channel])
        mental.change_attention(hour, seen.shopper, change)

    def _opt_out(self, tick: Tick, seen: SeenMessages, uniforms: dict[Purpose, FloatArray], out: FloatArray) -> None:
        """Let shoppers opt out of a channel: some with a complaint, and some turn away from the shop, too.

        Opt-outs and complaints are reported at once in every scenario, as the law demands.
        """
        state, channels = self._state, self._state.messages.channels
        leaves = (uniforms[Purpose.opt_out] < out).nonzero()[0]
        leaves = leaves[state.consent[seen.shopper[leaves], seen.channel[leaves]]]
        if len(leaves):
            shopper, channel = seen.shopper[leaves], seen.channel[leaves]
            state.withdraw_consent(shopper, channel)
            lapses = uniforms[Purpose.lapse_after_opt_out][leaves] < self._parameters.lapse_per_opt_out
            state.mental_state.lapsed[shopper[lapses]] = True
            complains = uniforms[Purpose.complaint][leaves] < channels.complaints[channel]
            quiet, loud = leaves[~complains], leaves[complains]
            tick.outcomes.append(TickOutcomes("opt_out", seen.ticket[quiet], seen.at[quiet]))
            if len(loud):
                tick.outcomes.append(TickOutcomes("complaint", seen.ticket[loud], seen.at[loud]))

    def _uninstall(self, tick: Tick, seen: SeenMessages, uniforms: dict[Purpose, FloatArray], out: FloatArray) -> None:
        """Let shoppers uninstall the app: consent to all its channels ends."""
        uninstalls = (uniforms[Purpose.uninstall] < self._parameters.uninstall_share * out).nonzero()[0]
        uninstalls = uninstalls[self._state.messages.channels.of_app[seen.channel[uninstalls]]]
        if len(uninstalls):
            shoppers = np.unique(seen.shopper[uninstalls])
            self._state.uninstall(shoppers)
            tick.uninstalled = np.union1d(tick.uninstalled, shoppers)

    def _plan_returns(
        self, seen: SeenMessages, clicked: BoolArray, chances: Chances, uniforms: dict[Purpose, FloatArray]
    ) -> None:
        """Draw who orders after the click, and who visits later without a click."""
        returns = ~clicked & (uniforms[Purpose.return_visit] < chances.return_visit)
        orders = uniforms[Purpose.conversion] < np.where(clicked, chances.order, chances.order_on_return)
        comes = (returns | (clicked & orders)).nonzero()[0]
        if not len(comes):
            return
        lag = self._draw_lag(uniforms[Purpose.order_lag][comes], clicked[comes])
        normal = to_normals(uniforms[Purpose.value_radius][comes], uniforms[Purpose.value_angle][comes])
        value = np.where(orders[comes], order_values(normal, self._parameters), 0.0)
        self._visits.add(seen.at[comes] + lag, ticket=seen.ticket[comes], shopper=seen.shopper[comes], value=value)

    def _draw_lag(self, uniform: FloatArray, clicked: BoolArray) -> FloatArray:
        """Draw the hours until the visit: most orders follow a click within minutes, all others within a week."""
        parameters = self._parameters
        later = uniform < parameters.later_orders
        share = np.divide(uniform, parameters.later_orders, out=np.zeros(len(uniform)), where=later)
        spread = -np.log1p(-share) * parameters.order_lag_h
        horizon = parameters.order_horizon_h
        after_click = np.minimum(0.2 + spread * self._state.scenario.order_lag_factor, horizon)
        after_reading = np.minimum(0.2 - np.log1p(-uniform) * parameters.return_lag_h, horizon)
        return np.where(clicked, after_click, after_reading)

    def _return(self, tick: Tick, due: FloatArray, visits: dict[str, NDArray[Any]]) -> None:
        """Let shoppers visit because of a message that they read before; an order has a value above 0."""
        ticket, shopper, value = visits["ticket"], visits["shopper"], visits["value"]
        self._visit(tick, shopper)
        orders = (value > 0.0).nonzero()[0]
        if len(orders):
            self._orders.place(tick, shopper[orders], value[orders], ticket[orders])
            self._report(tick, "conversion", ticket[orders], shopper[orders], due[orders], value[orders])

    def _visit(self, tick: Tick, shoppers: Indices) -> None:
        """Let shoppers visit because of a message: it wins back some of those who have lapsed."""
        mental = self._state.mental_state
        mental.raise_intent(tick.hour, shoppers, self._parameters.view_intent)
        lapsed = shoppers[mental.lapsed[shoppers]]
        if len(lapsed):
            won_back = self._parameters.win_back_per_visit
            self._state.consent_losses.book(lapsed, -won_back * self._state.consent[lapsed])
            (uniform,) = self._state.streams.uniforms(tick.hour, [Purpose.win_back], lapsed)
            mental.lapsed[lapsed[uniform < won_back]] = False
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
