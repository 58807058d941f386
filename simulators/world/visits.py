"""Visits that no message caused: the products that shoppers look at, the carts they leave, and their orders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulators import parameters
from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.random_streams import Purpose, to_normals
from simulators.shoppers.response import MEAN_ORDER_VALUE, visit_order_probability
from simulators.world.tick import Tick, TickEvents, TickTriggers
from simulators.world.triggers import TriggerSchedule
from simulators.world.world_state import WorldState

_PURPOSES = (
    *(Purpose.next_visit, Purpose.browse, Purpose.cart, Purpose.order, Purpose.value_radius, Purpose.value_angle),
    *(Purpose.wish, Purpose.product, Purpose.product_event, Purpose.product_lag),
)


class Visits:
    """Visits that no message caused: at most one per shopper and hour."""

    def __init__(self, state: WorldState, trigger_schedule: TriggerSchedule) -> None:
        self._state = state
        self._trigger_schedule = trigger_schedule

    def advance(self, tick: Tick) -> None:
        """Let the shoppers visit whose next visit lies in this hour."""
        state, hour = self._state, tick.hour
        visitors = np.flatnonzero(state.next_visit < hour + 1)
        if not len(visitors):
            return
        at = state.next_visit[visitors]
        following, browse, leave, order, radius, angle, wish, product, which, lag = state.streams.uniforms(
            hour, _PURPOSES, visitors
        )
        state.plan_visits(hour, visitors, following)
        self._trigger_schedule.schedule_win_back(hour, visitors)
        tick.visitors.append(visitors)
        carts, views = leave < parameters.CART_SHARE, browse < parameters.VIEW_SHARE
        intent = np.where(carts, parameters.CART_INTENT, np.where(views, parameters.VIEW_INTENT, 0.0))
        state.mental_state.raise_intent(hour, visitors, intent)
        orders = self._order(tick, visitors, at, carts, order, to_normals(radius, angle))
        category = self._draw_category(visitors, product)
        tick.events.append(TickEvents("session", visitors, at))
        self._record(tick, "product_view", "product_viewed", views & ~carts & ~orders, (visitors, at, category))
        self._record(tick, "cart_abandoned", "cart_abandoned", carts, (visitors, at, category))
        wishes = views & (wish < parameters.WISH_SHARE)
        self._record(tick, "wishlist", "wishlist", wishes, (visitors, at, category))
        self._trigger_schedule.schedule_product_triggers(hour, visitors[wishes], which[wishes], lag[wishes])

    def _order(
        self,
        tick: Tick,
        visitors: Indices,
        at: FloatArray,
        carts: BoolArray,
        uniform: FloatArray,
        normal: FloatArray,
    ) -> BoolArray:
        """Let visitors order, and return who ordered."""
        state, hour = self._state, tick.hour
        if not state.scenario.own_orders:
            return np.zeros(len(visitors), dtype=np.bool_)
        mental = state.mental_state
        probability = visit_order_probability(mental.intent(hour, visitors), mental.need(hour, visitors))
        probability = probability * state.order_factor(hour)
        probability[carts] = 0.0  # a visitor who leaves a cart does not order
        expected = probability * (parameters.MARGIN * MEAN_ORDER_VALUE)
        state.margins.book_expected_orders(state.week(hour), visitors, expected)
        orders = uniform < probability
        if orders.any():
            values = order_values(normal[orders])
            place_orders(tick, state, self._trigger_schedule, visitors[orders], values)
            tick.events.append(TickEvents("purchase", visitors[orders], at[orders], values=values))
        return np.asarray(orders)

    def _draw_category(self, visitors: Indices, uniform: FloatArray) -> NDArray[np.int8]:
        """Draw the product categories that visitors look at: mostly the favourite, otherwise any."""
        share = parameters.FAVOURITE_SHARE
        other = (uniform - share) / (1 - share) * len(parameters.PRODUCT_CATEGORIES)
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
        if chosen.any():
            shoppers, at, category = visits
            tick.events.append(TickEvents(event, shoppers[chosen], at[chosen], category[chosen]))
            tick.triggers.append(TickTriggers(trigger, shoppers[chosen], category[chosen]))


def order_values(normal: FloatArray) -> FloatArray:
    """Return log-normal order values, rounded to cents, of standard normal numbers."""
    values = np.exp(parameters.VALUE_LOG_MEAN + parameters.VALUE_LOG_SD * normal)
    return np.asarray(np.round(values, 2), dtype=np.float64)


def place_orders(
    tick: Tick, state: WorldState, trigger_schedule: TriggerSchedule, shoppers: Indices, values: FloatArray
) -> None:
    """Book orders, lower the shoppers' need, and schedule the triggers that follow an order."""
    state.margins.book_orders(state.week(tick.hour), shoppers, parameters.MARGIN * values)
    state.mental_state.record_orders(tick.hour, shoppers)
    trigger_schedule.schedule_after_orders(tick.hour, shoppers)
    tick.triggers.append(TickTriggers("post_purchase", shoppers, state.population.favourite[shoppers]))
