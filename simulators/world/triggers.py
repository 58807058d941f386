"""Triggers that happen some time after a shopper did something."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import FloatArray, Indices
from simulators.random_streams import Purpose
from simulators.scenarios.trigger_traits import PRODUCT_EVENTS
from simulators.world.tick import Tick, TickEvents, TickTriggers
from simulators.world.world_state import NEVER, WorldState

SCHEDULED_TRIGGERS = (
    *PRODUCT_EVENTS,
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
        traits = state.scenario.parameters.triggers
        self._win_back_after_h, self._review_after_h = int(traits.win_back_after_h), int(traits.review_after_h)
        shares, self._product_event_hours = np.array(traits.product_events).T
        self._product_event_ends = np.cumsum(shares)
        self._joins = state.population.joins
        self._due = state.trigger_hours
        self._first_of_kinds = np.arange(len(SCHEDULED_TRIGGERS)) * state.size
        self._due[_WELCOME] = np.where(self._joins > 0, self._joins, NEVER)
        self._joining_hours = frozenset(np.unique(self._joins).tolist())
        self._today = np.empty(0, dtype=np.int64)
        self._day_end = 0
        self._promo_starts = {24 * promo.first_day for promo in state.scenario.promos}

    def advance(self, tick: Tick) -> None:
        """Let shoppers join, and let the triggers of this hour happen."""
        hour = tick.hour
        if hour in self._joining_hours:
            tick.joined = np.flatnonzero(self._joins == hour)
            self._join(tick)
        due = self._find_due(hour)
        if len(due):
            self._due.reshape(-1)[due] = NEVER
            starts = due.searchsorted(self._first_of_kinds).tolist()
            for kind, (start, end) in enumerate(pairwise([*starts, len(due)])):
                if start < end:
                    chosen = due[start:end] - kind * self._state.size
                    category = np.asarray(self._state.population.favourite[chosen])
                    tick.triggers.append(TickTriggers(SCHEDULED_TRIGGERS[kind], chosen, category))
        if hour in self._promo_starts:
            tick.triggers.append(TickTriggers(SEASONAL, np.flatnonzero(self._joins <= hour)))

    def _find_due(self, hour: int) -> Indices:
        """Return the positions of the triggers that are due in this hour, in the order of the table.

        The whole table is searched at the beginning of a day, and after a trigger was scheduled for the same day: see
        `_schedule`. An hour looks only at the triggers of its day.
        """
        due = self._due.reshape(-1)  # no attribute: in a copy of the world a view is an array of its own
        if hour >= self._day_end:
            self._day_end = hour - hour % 24 + 24
            self._today = np.flatnonzero(due < self._day_end)
        return np.asarray(self._today[due[self._today] == hour])

    def _schedule(self, kind: int | Indices, shoppers: Indices, due: NDArray[np.int32]) -> None:
        self._due[kind, shoppers] = due
        if len(due) and due.min() < self._day_end:
            self._day_end = 0

    def _join(self, tick: Tick) -> None:
        hour, joined = tick.hour, tick.joined
        first, last = self._state.streams.uniforms(hour, [Purpose.next_visit, Purpose.last_visit], joined)
        self._state.plan_visits(hour - 1, joined, first)
        self.schedule_win_back(hour, joined)
        if hour == 0:  # the last visit of a shopper who was there before lies up to `win_back_after_h` back
            self._due[_WIN_BACK][joined] = 1 + (last * self._win_back_after_h).astype(np.int32)
        else:
            self._state.consent[joined] = self._state.population.consent[joined]
            tick.events.append(TickEvents("signup", joined, np.full(len(joined), float(hour))))

    def schedule_win_back(self, hour: int, shoppers: Indices) -> None:
        """Schedule the win-back of shoppers who visit or join now; the one scheduled before is dropped."""
        self._due[_WIN_BACK][shoppers] = hour + self._win_back_after_h

    def schedule_product_triggers(self, hour: int, shoppers: Indices, which: FloatArray, lag: FloatArray) -> None:
        """Schedule a price drop, a return to stock, low stock, or nothing, for products put on wish lists.

        Parameters
        ----------
        which, lag
            Uniform numbers that decide the trigger, and the time until it.
        """
        kinds = self._product_event_ends.searchsorted(which, side="right")
        happens = kinds < len(PRODUCT_EVENTS)
        kinds = kinds[happens]
        waits_h = self._product_event_hours[kinds] * -np.log1p(-lag[happens])
        self._schedule(kinds, shoppers[happens], hour + 1 + waits_h.astype(np.int32))

    def schedule_after_orders(self, hour: int, shoppers: Indices) -> None:
        """Schedule the review request and the replenishment of shoppers who ordered."""
        self._due[_REVIEW, shoppers] = hour + self._review_after_h
        lasts = self._state.population.replenish_h[shoppers]
        self._schedule(_REPLENISHMENT, shoppers, hour + 1 + lasts.astype(np.int32))
