"""The state of a world that all its mechanisms share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.random_streams import Purpose, RandomStreams, to_normals
from simulators.scenario import Scenario
from simulators.shoppers.mental_state import MentalState
from simulators.shoppers.population import Population
from simulators.shoppers.presence import Presence
from simulators.world.margins import Margins
from simulators.world.messages import Appeal, Messages

NEVER = np.iinfo(np.int32).max


@dataclass
class WorldState:
    """The shoppers of a world, their state, and the calendar.

    Attributes
    ----------
    consent
        Present consent by channel, (N, C).
    next_visit
        Time of the next visit without a message, in hours of the calendar, (N,); inf for none.
    trigger_hours
        Hours in which the scheduled triggers are due, (K, N) int32; `NEVER` for none.
    """

    scenario: Scenario
    population: Population
    messages: Messages
    appeal: Appeal
    streams: RandomStreams
    presence: Presence
    mental_state: MentalState
    consent: BoolArray
    next_visit: FloatArray
    trigger_hours: NDArray[np.int32]
    margins: Margins

    @classmethod
    def draw(cls, scenario: Scenario, shoppers: int, seed: int, messages: Messages, trigger_kinds: int) -> WorldState:
        """Draw the state before the first hour; ``trigger_kinds`` is the number of scheduled triggers."""
        streams = RandomStreams(seed)
        population = Population.draw(scenario, shoppers, messages.channels, streams)
        boosts = [
            (24 * promo.first_day, 24 * (promo.first_day + promo.days), promo.presence) for promo in scenario.promos
        ]
        return cls(
            scenario=scenario,
            population=population,
            messages=messages,
            appeal=Appeal.draw(messages, streams),
            streams=streams,
            presence=Presence(scenario.hours, scenario.first_hour, boosts),
            mental_state=MentalState(population.tolerance, len(messages.names)),
            consent=population.consent.copy(),
            next_visit=np.full(shoppers, np.inf),
            trigger_hours=np.full((trigger_kinds, shoppers), NEVER, dtype=np.int32),
            margins=Margins(shoppers, scenario.weeks),
        )

    @property
    def size(self) -> int:
        """The number of shoppers, including those who have not joined yet."""
        return len(self.population)

    def week(self, hour: int) -> int:
        """Return the number of the week; hours after the calendar belong to its last week."""
        return min(hour // 168, self.scenario.weeks - 1)

    def plan_visits(self, hour: int, shoppers: Indices, uniforms: FloatArray) -> None:
        """Draw the next visits without a message, after the end of this hour."""
        shift = self.population.shift_h[shoppers]
        with np.errstate(divide="ignore"):  # a rate of 0 makes no visit
            waits = -np.log1p(-uniforms) / self.population.visits_per_hour[shoppers]
        visit = self.presence.hours_at(self.presence.integral_at(hour + 1.0 - shift) + waits)
        self.next_visit[shoppers] = visit + shift

    def presence_at(self, hours: FloatArray, shoppers: Indices) -> FloatArray:
        """Return the presence of shoppers at hours of the calendar."""
        return self.presence.presence_at(hours - self.population.shift_h[shoppers])

    def appeal_logits(self, hour: int, shoppers: Indices, messages: Indices, channels: Indices) -> FloatArray:
        """Return the logits of clicks by rested shoppers without intent; the arrays broadcast."""
        people = self.population
        taste = np.einsum("...d,...d->...", people.taste[shoppers], self.appeal.direction[messages])
        flip = self.scenario.taste_flip_week
        if flip is not None and hour >= flip * 168:
            taste = -taste
        intercept = self.messages.channels.intercept[channels]
        level = intercept + people.clicker[shoppers] + people.channel_taste[shoppers, channels]
        popularity = self.message_levels[self.week(hour)][messages]
        return np.asarray(level + taste + popularity + self._offer_logits(hour, messages))

    def _offer_logits(self, hour: int, messages: Indices) -> FloatArray | float:
        """Return what a promotion of this day adds to the logits of offers."""
        day = hour // 24
        for promo in self.scenario.promos:
            if promo.first_day <= day < promo.first_day + promo.days:
                return np.asarray(promo.offer_logit * self.messages.is_offer[messages], dtype=np.float64)
        return 0.0

    def order_factor(self, hour: int) -> float:
        """Return the factor of this day's promotion on the orders in visits; 1 without a promotion."""
        day = hour // 24
        return next((promo.orders for promo in self.scenario.promos if 0 <= day - promo.first_day < promo.days), 1.0)

    @cached_property
    def message_levels(self) -> FloatArray:
        """Logits of the messages by week, (weeks, M): the message's level and the week's shock on its category."""
        levels = np.tile(self.appeal.level, (self.scenario.weeks, 1))
        if self.scenario.weekly_shock == 0.0:
            return levels
        names, category_of = np.unique(self.messages.categories, return_inverse=True)
        for week in range(self.scenario.weeks):
            positions = np.arange(2 * len(names))
            radius, angle = self.streams.uniforms(week * 168, [Purpose.weekly_shock], positions)[0].reshape(2, -1)
            levels[week] += self.scenario.weekly_shock * to_normals(radius, angle)[category_of]
        return levels

    def withdraw_consent(self, shoppers: Indices, channels: Indices) -> None:
        """End the consent of shoppers for good, each on one channel."""
        self.consent[shoppers, channels] = False


def epoch_seconds(scenario: Scenario, hours: float) -> float:
    """Return the epoch time of an hour of the calendar, in whole seconds: the service keeps no fractions."""
    return float(scenario.start + int(hours * 3_600.0))
