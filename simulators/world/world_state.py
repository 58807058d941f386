"""The society: the state that all mechanisms of a world share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulators.random_streams import FloatArray, Purpose, RandomStreams, normals
from simulators.scenario import Scenario
from simulators.shoppers.mental_state import MentalState
from simulators.shoppers.population import Population
from simulators.shoppers.presence import Presence
from simulators.world.margins import Margins
from simulators.world.messages import Appeal, Messages
from simulators.world.tick import Rows

NEVER = np.iinfo(np.int32).max


@dataclass
class WorldState:
    """Shoppers, their moods, and the calendar that they live in.

    Attributes
    ----------
    consent
        (N, C), now.
    next_visit
        (N,), calendar hours of the next own visit, inf for none.
    occasions
        (K, N) int32, ticks at which `occasions.KINDS` come due.
    """

    scenario: Scenario
    population: Population
    repertoire: Messages
    appeal: Appeal
    streams: RandomStreams
    presence: Presence
    moods: MentalState
    consent: NDArray[np.bool_]
    next_visit: FloatArray
    occasions: NDArray[np.int32]
    ledger: Margins

    @classmethod
    def found(cls, scenario: Scenario, shoppers: int, seed: int, repertoire: Messages, kinds: int) -> WorldState:
        """Draw a society as it is before the first tick."""
        streams = RandomStreams(seed)
        population = Population.draw(scenario, shoppers, repertoire.channels, streams)
        boosts = [(24 * each.first_day, 24 * (each.first_day + each.days), each.presence) for each in scenario.promos]
        return cls(
            scenario=scenario,
            population=population,
            repertoire=repertoire,
            appeal=Appeal.of(repertoire, streams),
            streams=streams,
            presence=Presence(scenario.hours, scenario.first_hour, boosts),
            moods=MentalState(population.tolerance, len(repertoire.messages)),
            consent=population.consent.copy(),
            next_visit=np.full(shoppers, np.inf),
            occasions=np.full((kinds, shoppers), NEVER, dtype=np.int32),
            ledger=Margins(shoppers, scenario.weeks),
        )

    @property
    def size(self) -> int:
        """How many shoppers there are, those yet to join included."""
        return len(self.population)

    def week(self, tick: int) -> int:
        """Give the number of the week; what comes after the calendar belongs to the last."""
        return min(tick // 168, self.scenario.weeks - 1)

    def plan_visit(self, tick: int, shoppers: Rows, uniforms: FloatArray) -> None:
        """Draw when shoppers come by themselves next, from the end of this tick on."""
        shift = self.population.shift_h[shoppers]
        with np.errstate(divide="ignore"):  # a rate of 0 makes no visit
            waits = -np.log1p(-uniforms) / self.population.visits_per_hour[shoppers]
        own = self.presence.reached(self.presence.passed(tick + 1.0 - shift) + waits)
        self.next_visit[shoppers] = own + shift

    def presence_at(self, hours: FloatArray, shoppers: Rows) -> FloatArray:
        """Give the presence of shoppers at calendar hours."""
        return self.presence.level(hours - self.population.shift_h[shoppers])

    def appeals(self, tick: int, shoppers: Rows, messages: Rows, channels: Rows) -> FloatArray:
        """Give the logits of clicks by rested shoppers without intent; the arrays broadcast."""
        own, repertoire = self.population, self.repertoire
        taste = np.einsum("...d,...d->...", own.taste[shoppers], self.appeal.direction[messages])
        flip = self.scenario.taste_flip_week
        if flip is not None and tick >= flip * 168:
            taste = -taste
        level = repertoire.channels.intercept[channels] + own.clicker[shoppers] + own.channel_taste[shoppers, channels]
        return np.asarray(level + taste + self.message_levels[self.week(tick)][messages] + self._offers(tick, messages))

    def _offers(self, tick: int, messages: Rows) -> FloatArray | float:
        day = tick // 24
        for promo in self.scenario.promos:
            if promo.first_day <= day < promo.first_day + promo.days:
                return np.asarray(promo.offer_logit * self.repertoire.is_offer[messages], dtype=np.float64)
        return 0.0

    def order_factor(self, tick: int) -> float:
        """Give by how much own orders are easier today."""
        day = tick // 24
        return next((each.orders for each in self.scenario.promos if 0 <= day - each.first_day < each.days), 1.0)

    @cached_property
    def message_levels(self) -> FloatArray:
        """Appeal of messages to everybody by week, (weeks, M): their own and the week's shock on their category."""
        levels = np.tile(self.appeal.level, (self.scenario.weeks, 1))
        if self.scenario.weekly_shock == 0.0:
            return levels
        names, of = np.unique(self.repertoire.categories, return_inverse=True)
        for week in range(self.scenario.weeks):
            positions = np.arange(2 * len(names))
            radius, angle = self.streams.uniforms(week * 168, [Purpose.weekly_shock], positions)[0].reshape(2, -1)
            levels[week] += self.scenario.weekly_shock * normals(radius, angle)[of]
        return levels

    def leave(self, shoppers: Rows, channels: Rows) -> None:
        """End consent: for good, on one channel each."""
        self.consent[shoppers, channels] = False


def seconds(scenario: Scenario, hours: float) -> float:
    """Give the epoch time of calendar hours, in whole seconds so that every clock can hold it."""
    return float(scenario.start + int(hours * 3_600.0))
