"""TriggerSchedule: triggers that come due some time after what a shopper did."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulators import parameters as of
from simulators.random_streams import FloatArray, Purpose
from simulators.world.tick import Events, Rows, Tick, Triggers
from simulators.world.world_state import NEVER, WorldState

KINDS = (*(kind for kind, _, _ in of.PRODUCT_EVENTS), "review_request", "replenishment", "win_back", "welcome")
"""Triggers that wait for their hour; each shopper has at most one of each ahead."""

_REVIEW, _REPLENISHMENT, _WIN_BACK, _WELCOME = (
    KINDS.index(name) for name in ("review_request", "replenishment", "win_back", "welcome")
)
SEASONAL = "seasonal"


class TriggerSchedule:
    """Schedules triggers and lets them come due."""

    def __init__(self, society: WorldState) -> None:
        self._society = society
        self._due = society.occasions
        self._due[_WELCOME] = np.where(society.population.joins > 0, society.population.joins, NEVER)
        self._joins = society.population.joins
        self._begins = {24 * promo.first_day for promo in society.scenario.promos}

    def pass_hour(self, hour: Tick) -> None:
        """Let what is due in this tick happen."""
        tick = hour.tick
        hour.joined = np.flatnonzero(self._joins == tick)
        if len(hour.joined):
            self._join(tick, hour)
        due = np.flatnonzero(self._due.ravel() == tick)
        if len(due):
            kinds, shoppers = np.divmod(due, self._society.size)
            self._due.ravel()[due] = NEVER
            for kind in np.unique(kinds):
                hour.triggers.append(
                    Triggers(KINDS[kind], shoppers[kinds == kind], self._category(shoppers, kinds, kind))
                )
        if tick in self._begins:
            hour.triggers.append(Triggers(SEASONAL, np.flatnonzero(self._joins <= tick)))

    def _category(self, shoppers: Rows, kinds: Rows, kind: int) -> NDArray[np.int8]:
        return np.asarray(self._society.population.favourite[shoppers[kinds == kind]])

    def _join(self, tick: int, hour: Tick) -> None:
        joined = hour.joined
        (first,) = self._society.streams.uniforms(tick, [Purpose.next_visit], joined)
        self._society.plan_visit(tick - 1, joined, first)
        self._due[_WIN_BACK, joined] = tick + of.WIN_BACK_AFTER_H
        if tick > 0:
            hour.events.append(Events("signup", joined, np.full(len(joined), float(tick))))

    def visited(self, tick: int, shoppers: Rows) -> None:
        """Start the time after which a shopper counts as gone anew."""
        self._due[_WIN_BACK, shoppers] = tick + of.WIN_BACK_AFTER_H

    def wished(self, tick: int, shoppers: Rows, which: FloatArray, lag: FloatArray) -> None:
        """Schedule what may happen to the products that shoppers put on their wish lists."""
        waits = -np.log1p(-lag)
        floor = 0.0
        for kind, (_, probability, mean_h) in enumerate(of.PRODUCT_EVENTS):
            own = (which >= floor) & (which < floor + probability)
            self._due[kind, shoppers[own]] = tick + 1 + (mean_h * waits[own]).astype(np.int32)
            floor += probability

    def ordered(self, tick: int, shoppers: Rows) -> None:
        """Schedule what an order brings later."""
        self._due[_REVIEW, shoppers] = tick + of.REVIEW_AFTER_H
        lasts = self._society.population.replenish_h[shoppers]
        self._due[_REPLENISHMENT, shoppers] = tick + 1 + lasts.astype(np.int32)
