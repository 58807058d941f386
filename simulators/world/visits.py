"""Visits that no message caused: the products that shoppers look at, the carts they leave, and their orders.

After each visit a shopper lapses with a small probability: she visits no more by herself, until a visit because of a
message wins her back. Some of those who lapse uninstall the app. The visits of a shopper who has lapsed are drawn as
before and do not happen, so a world differs from its twin without sends only in the visits of shoppers who lapsed
because of a message, or whom a message won back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.random_streams import Purpose, to_normals
from simulators.scenarios.trigger_traits import PRODUCT_CATEGORIES
from simulators.shoppers.response import visit_order_probability
from simulators.world.order_book import OrderBook, order_values
from simulators.world.tick import Tick, TickEvents, TickTriggers
from simulators.world.triggers import TriggerSchedule
from simulators.world.world_state import WorldState

_PURPOSES = (
    *(Purpose.next_visit, Purpose.browse, Purpose.cart, Purpose.order, Purpose.value_radius, Purpose.value_angle),
    *(Purpose.wish, Purpose.product, Purpose.product_event, Purpose.product_lag, Purpose.lapse),
)


class Visits:
    """Visits that no message caused: at most one per shopper and hour."""

    def __init__(self, state: WorldState, trigger_schedule: TriggerSchedule, orders: OrderBook) -> None:
        self._state = state
        self._parameters = state.scenario.parameters
        self._trigger_schedule = trigger_schedule
        self._orders = orders

    def advance(self, tick: Tick) -> None:
        """Let the shoppers visit whose next visit lies in this hour."""
        state, parameters, hour = self._state, self._parameters, tick.hour
        due = (state.next_visit < hour + 1).nonzero()[0]
        if not len(due):
            return
        uniforms = state.streams.uniforms(hour, _PURPOSES, due)
        at = state.next_visit[due]
        state.plan_visits(hour, due, uniforms[0])
        active = (~state.mental_state.lapsed[due]).nonzero()[0]
        visitors, at, uniforms = due[active], at[active], uniforms.take(active, axis=1)
        _, browse, leave, *order_draws, wish, product, which, lag, lapse = uniforms
        self._trigger_schedule.schedule_win_back(hour, visitors)
        tick.visitors.append(visitors)
        carts, views = leave < parameters.cart_share, browse < parameters.view_share
        intent = np.where(carts, parameters.cart_intent, np.where(views, parameters.view_intent, 0.0))
        intent = state.mental_state.raise_intent(hour, visitors, intent)
        orders = self._order(tick, visitors, at, carts, intent, order_draws)
        category = self._draw_category(visitors, product)
        tick.events.append(TickEvents("session", visitors, at))
        self._record(tick, "product_view", "product_viewed", views & ~carts & ~orders, (visitors, at, category))
        self._record(tick, "cart_abandoned", "cart_abandoned", carts, (visitors, at, category))
        wishes = views & (wish < parameters.wish_share)
        self._record(tick, "wishlist", "wishlist", wishes, (visitors, at, category))
        self._trigger_schedule.schedule_product_triggers(hour, visitors[wishes], which[wishes], lag[wishes])
        self._lapse(tick, visitors, lapse)

    def _lapse(self, tick: Tick, visitors: Indices, uniform: FloatArray) -> None:
        """Let visitors lapse, and let some of them uninstall the app."""
        consent = self._state.consent.take(visitors, axis=0)
        self._state.consent_losses.book(visitors, self._parameters.lapse_per_visit * consent)
        leaves = (uniform < self._parameters.lapse_per_visit).nonzero()[0]
        if not len(leaves):
            return
        state = self._state
        state.mental_state.lapsed[visitors[leaves]] = True
        share = self._parameters.lapse_per_visit * self._parameters.uninstall_per_lapse
        uninstalls = visitors[leaves[uniform[leaves] < share]]
        uninstalls = uninstalls[state.consent[uninstalls][:, state.messages.channels.of_app].any(axis=1)]
        state.uninstall(uninstalls)
        tick.uninstalled = np.union1d(tick.uninstalled, uninstalls)

    def _order(
        self,
        tick: Tick,
        visitors: Indices,
        at: FloatArray,
        carts: BoolArray,
        intent: FloatArray,
        draws: Sequence[FloatArray],
    ) -> BoolArray:
        """Let visitors order, and return who ordered. The three ``draws`` (n,) decide who orders at which value."""
        state, hour = self._state, tick.hour
        if not state.scenario.own_orders:
            return np.zeros(len(visitors), dtype=np.bool_)
        need = state.mental_state.need(hour, visitors)
        probability = visit_order_probability(intent, need, state.order_factor(hour), self._parameters)
        probability[carts] = 0.0  # a visitor who leaves a cart does not order
        kept = 1.0 - state.population.refunds[visitors]
        expected = probability * kept * (self._parameters.margin * self._parameters.mean_order_value)
        state.margins.book_expected_orders(state.week(hour), visitors, expected)
        order, radius, angle = draws
        orders = order < probability
        rows = orders.nonzero()[0]
        if len(rows):
            values = order_values(to_normals(radius[rows], angle[rows]), self._parameters)
            self._orders.place(tick, visitors[rows], values)
            tick.events.append(TickEvents("purchase", visitors[rows], at[rows], values=values))
        return np.asarray(orders)

    def _draw_category(self, visitors: Indices, uniform: FloatArray) -> NDArray[np.int8]:
        """Draw the product categories that visitors look at: mostly the favourite, otherwise any."""
        share = self._parameters.triggers.favourite_share
        other = (uniform - share) / (1 - share) * len(PRODUCT_CATEGORIES)
        favourite = self._state.population.favourite[visitors]
        return np.where(uniform < share, favourite, other.astype(np.int8))

    def _record(
        self,
        tick: Tick,
        event: str,
        trigger: str,
        chosen: BoolArray,
        visits: tuple[Indices, FloatArray, NDArray[np.int8]],
    ) -> None:
        """Record an event and a trigger for the chosen visits (shopper, time, product category)."""
        rows = chosen.nonzero()[0]
        if len(rows):
            shoppers, at, category = visits[0][rows], visits[1][rows], visits[2][rows]
            tick.events.append(TickEvents(event, shoppers, at, category))
            tick.triggers.append(TickTriggers(trigger, shoppers, category))
