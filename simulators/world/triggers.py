"""Triggers that happen some time after a shopper did something."""

from __future__ import annotations

import numpy as np

from simulators import parameters
from simulators.arrays import FloatArray, Indices
from simulators.random_streams import Purpose
from simulators.world.tick import Tick, TickEvents, TickTriggers
from simulators.world.world_state import NEVER, WorldState

SCHEDULED_TRIGGERS = (
    *(kind for kind, _, _ in parameters.PRODUCT_EVENTS),
    *("review_request", "replenishment", "win_back", "welcome"),
)
"""Types of the scheduled triggers. A shopper has at most one trigger of each type ahead."""

_REVIEW, _REPLENISHMENT, _WIN_BACK, _WELCOME = (
    SCHEDULED_TRIGGERS.index(name) for name in ("review_request", "replenishment", "win_back", "welcome")
)
SEASONAL = "seasonal"


class TriggerSchedule:
    """Schedules triggers, and lets them happen when they are due."""

    def __init__(self, state: WorldState) -> None:
        self._state = state
        self._joins = state.population.joins
        self._due = state.trigger_hours
        self._due[_WELCOME] = np.where(self._joins > 0, self._joins, NEVER)
        self._promo_starts = {24 * promo.first_day for promo in state.scenario.promos}

    def advance(self, tick: Tick) -> None:
        """Let shoppers join, and let the triggers of this hour happen."""
        hour = tick.hour
        tick.joined = np.flatnonzero(self._joins == hour)
        if len(tick.joined):
            self._join(tick)
        due = np.flatnonzero(self._due.ravel() == hour)
        if len(due):
            kinds, shoppers = np.divmod(due, self._state.size)
            self._due.ravel()[due] = NEVER
            for kind in np.unique(kinds):
                chosen = shoppers[kinds == kind]
                category = np.asarray(self._state.population.favourite[chosen])
                tick.triggers.append(TickTriggers(SCHEDULED_TRIGGERS[kind], chosen, category))
        if hour in self._promo_starts:
            tick.triggers.append(TickTriggers(SEASONAL, np.flatnonzero(self._joins <= hour)))

    def _join(self, tick: Tick) -> None:
        hour, joined = tick.hour, tick.joined
        (first,) = self._state.streams.uniforms(hour, [Purpose.next_visit], joined)
        self._state.plan_visits(hour - 1, joined, first)
        self.schedule_win_back(hour, joined)
        if hour > 0:
            self._state.consent[joined] = self._state.population.consent[joined]
            tick.events.append(TickEvents("signup", joined, np.full(len(joined), float(hour))))

    def schedule_win_back(self, hour: int, shoppers: Indices) -> None:
        """Schedule the win-back of shoppers who visit or join now; the one scheduled before is dropped."""
        self._due[_WIN_BACK, shoppers] = hour + parameters.WIN_BACK_AFTER_H

    def schedule_product_triggers(self, hour: int, shoppers: Indices, which: FloatArray, lag: FloatArray) -> None:
        """Schedule a price drop, a return to stock, low stock, or nothing, for products put on wish lists.

        Parameters
        ----------
        which, lag
            Uniform numbers that decide the trigger, and the time until it.
        """
        waits = -np.log1p(-lag)
        floor = 0.0
        for kind, (_, probability, mean_h) in enumerate(parameters.PRODUCT_EVENTS):
            chosen = (which >= floor) & (which < floor + probability)
            self._due[kind, shoppers[chosen]] = hour + 1 + (mean_h * waits[chosen]).astype(np.int32)
            floor += probability

    def schedule_after_orders(self, hour: int, shoppers: Indices) -> None:
        """Schedule the review request and the replenishment of shoppers who ordered."""
        self._due[_REVIEW, shoppers] = hour + parameters.REVIEW_AFTER_H
        lasts = self._state.population.replenish_h[shoppers]
        self._due[_REPLENISHMENT, shoppers] = hour + 1 + lasts.astype(np.int32)
