"""Visits: shoppers who come by themselves; what they look at, leave behind and order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulators import parameters as of
from simulators.random_streams import FloatArray, Purpose, normals
from simulators.shoppers.response import MEAN_VALUE, own_order
from simulators.world.tick import Events, Rows, Tick, Triggers
from simulators.world.triggers import TriggerSchedule
from simulators.world.world_state import WorldState

_PURPOSES = (
    *(Purpose.next_visit, Purpose.browse, Purpose.cart, Purpose.order, Purpose.value_radius, Purpose.value_angle),
    *(Purpose.wish, Purpose.product, Purpose.product_event, Purpose.product_lag),
)


class Visits:
    """Own visits: at most one an hour and shopper."""

    def __init__(self, society: WorldState, occasions: TriggerSchedule) -> None:
        self._society = society
        self._occasions = occasions

    def pass_hour(self, hour: Tick) -> None:
        """Let the shoppers come whose next visit falls into this tick."""
        society, tick = self._society, hour.tick
        here = np.flatnonzero(society.next_visit < tick + 1)
        if not len(here):
            return
        at = society.next_visit[here]
        following, browse, leave, order, radius, angle, wish, product, which, lag = society.streams.uniforms(
            tick, _PURPOSES, here
        )
        society.plan_visit(tick, here, following)
        self._occasions.visited(tick, here)
        hour.visitors.append(here)
        carts, views = leave < of.CART_SHARE, browse < of.VIEW_SHARE
        society.moods.wants(tick, here, np.where(carts, of.CART_INTENT, np.where(views, of.VIEW_INTENT, 0.0)))
        orders = self._order(hour, here, at, carts, order, normals(radius, angle))
        category = self._category(here, product)
        hour.events.append(Events("session", here, at))
        self._tell(hour, "product_view", "product_viewed", views & ~carts & ~orders, (here, at, category))
        self._tell(hour, "cart_abandoned", "cart_abandoned", carts, (here, at, category))
        wishes = views & (wish < of.WISH_SHARE)
        self._tell(hour, "wishlist", "wishlist", wishes, (here, at, category))
        self._occasions.wished(tick, here[wishes], which[wishes], lag[wishes])

    def _order(
        self, hour: Tick, here: Rows, at: FloatArray, carts: NDArray[np.bool_], uniform: FloatArray, normal: FloatArray
    ) -> NDArray[np.bool_]:
        society, tick = self._society, hour.tick
        if not society.scenario.own_orders:
            return np.zeros(len(here), dtype=np.bool_)
        moods = society.moods
        probability = own_order(moods.intent(tick, here), moods.need(tick, here)) * society.order_factor(tick)
        probability[carts] = 0.0  # who leaves a cart behind has not ordered
        society.ledger.expects(society.week(tick), here, probability * (of.MARGIN * MEAN_VALUE))
        orders = uniform < probability
        if orders.any():
            values = order_values(normal[orders])
            buy(hour, society, self._occasions, here[orders], values)
            hour.events.append(Events("purchase", here[orders], at[orders], values=values))
        return np.asarray(orders)

    def _category(self, here: Rows, uniform: FloatArray) -> NDArray[np.int8]:
        """Draw the category looked at: mostly the favourite, else any."""
        scaled = (uniform - of.FAVOURITE_SHARE) / (1 - of.FAVOURITE_SHARE) * len(of.PRODUCT_CATEGORIES)
        favourite = self._society.population.favourite[here]
        return np.where(uniform < of.FAVOURITE_SHARE, favourite, scaled.astype(np.int8))

    def _tell(
        self,
        hour: Tick,
        event: str,
        trigger: str,
        own: NDArray[np.bool_],
        seen: tuple[Rows, FloatArray, NDArray[np.int8]],
    ) -> None:
        if own.any():
            here, at, category = seen[0][own], seen[1][own], seen[2][own]
            hour.events.append(Events(event, here, at, category))
            hour.triggers.append(Triggers(trigger, here, category))


def order_values(normal: FloatArray) -> FloatArray:
    """Give order values to cents, log-normal."""
    return np.asarray(np.round(np.exp(of.VALUE_LOG_MEAN + of.VALUE_LOG_SD * normal), 2), dtype=np.float64)


def buy(hour: Tick, society: WorldState, occasions: TriggerSchedule, shoppers: Rows, values: FloatArray) -> None:
    """Let shoppers order: book it, meet their need, and schedule what follows an order."""
    society.ledger.ordered(society.week(hour.tick), shoppers, of.MARGIN * values)
    society.moods.ordered(hour.tick, shoppers)
    occasions.ordered(hour.tick, shoppers)
    hour.triggers.append(Triggers("post_purchase", shoppers, society.population.favourite[shoppers]))
