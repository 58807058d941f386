"""Orders: their values, what follows them, and the orders that shoppers send back.

A shopper sends each order back with a probability of her own, `Population.refunds`: one shopper in four sends back 5 to
15 % of the orders, the others none. A margin is booked only for an order that is kept. The shop learns of a refund
2 to 16 days after the order: the goods need two days, and can then be sent back for 14 days.
"""

from __future__ import annotations

import numpy as np

from simulators.arrays import FloatArray, Indices
from simulators.random_streams import Purpose
from simulators.scenarios.parameters import Parameters
from simulators.world.schedule import Schedule
from simulators.world.tick import Tick, TickEvents, TickOutcomes, TickTriggers
from simulators.world.triggers import TriggerSchedule
from simulators.world.world_state import WorldState

NO_TICKET = -1
"""The ticket of an order that no message caused."""


class OrderBook:
    """Books orders, schedules the triggers that follow them, and lets shoppers send orders back."""

    def __init__(self, state: WorldState, trigger_schedule: TriggerSchedule) -> None:
        self._state = state
        self._trigger_schedule = trigger_schedule
        self._refunds = Schedule({"ticket": np.int64, "shopper": np.int64, "value": np.float64})

    def place(self, tick: Tick, shoppers: Indices, values: FloatArray, tickets: Indices | None = None) -> None:
        """Book orders. ``tickets`` are the sends that caused them; None for orders without a message."""
        state, parameters = self._state, self._state.scenario.parameters
        (back,) = state.streams.uniforms(tick.hour, [Purpose.refund], shoppers)
        kept = back >= state.population.refunds[shoppers]
        margins = parameters.margin * values * kept
        state.margins.book_orders(state.week(tick.hour), shoppers, margins)
        if tickets is not None:
            state.margins.attribute_orders(shoppers, margins)
        state.mental_state.record_orders(tick.hour, shoppers)
        self._trigger_schedule.schedule_after_orders(tick.hour, shoppers)
        tick.triggers.append(TickTriggers("post_purchase", shoppers, state.population.favourite[shoppers]))
        if not kept.all():
            refunds = np.flatnonzero(~kept)
            (lag,) = state.streams.uniforms(tick.hour, [Purpose.refund_lag], shoppers[refunds])
            self._refunds.add(
                tick.hour + parameters.refund_after_h + parameters.refund_within_h * lag,
                ticket=np.full(len(refunds), NO_TICKET) if tickets is None else tickets[refunds],
                shopper=shoppers[refunds],
                value=values[refunds],
            )

    def advance(self, tick: Tick) -> None:
        """Report the refunds of this hour: as outcomes of the sends that caused the orders, the others as events."""
        due, refunds = self._refunds.pop(tick.hour + 1)
        if not len(due):
            return
        sent = refunds["ticket"] != NO_TICKET
        if sent.any():
            tick.outcomes.append(TickOutcomes("refund", refunds["ticket"][sent], due[sent], refunds["value"][sent]))
        if not sent.all():
            tick.events.append(
                TickEvents("refund", refunds["shopper"][~sent], due[~sent], values=refunds["value"][~sent])
            )


def order_values(normal: FloatArray, parameters: Parameters) -> FloatArray:
    """Return log-normal order values, rounded to cents, of standard normal numbers."""
    values = np.exp(parameters.value_log_mean + parameters.value_log_sd * normal)
    return np.asarray(values.round(2), dtype=np.float64)
