"""The state of a world that all its mechanisms share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.random_streams import Purpose, RandomStreams, Seeds, to_normals
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
    streams, shop_streams
        Random numbers of what the shoppers do, and of what belongs to the shop: how messages appeal, weekly changes.
    consent
        Present consent by channel, (N, C); nobody consents before she joins.
    next_visit
        Time of the next visit that no message caused, in hours of the calendar, (N,); inf for none.
    trigger_hours
        Hours in which the scheduled triggers are due, int32, one row per scheduled trigger and one column per shopper;
        `NEVER` where the trigger is not due.
    """

    scenario: Scenario
    population: Population
    messages: Messages
    appeal: Appeal
    streams: RandomStreams
    shop_streams: RandomStreams
    presence: Presence
    mental_state: MentalState
    consent: BoolArray
    next_visit: FloatArray
    trigger_hours: NDArray[np.int32]
    margins: Margins

    @classmethod
    def draw(cls, scenario: Scenario, count: int, seeds: Seeds, messages: Messages, trigger_kinds: int) -> WorldState:
        """Draw the state before the first hour, with ``count`` shoppers and ``trigger_kinds`` scheduled triggers."""
        streams, shop_streams = seeds.shopper_streams(count), RandomStreams(seeds.shop)
        population = Population.draw(scenario, count, messages.channels, streams)
        boosts = [
            (24 * promo.first_day, 24 * (promo.first_day + promo.days), promo.presence) for promo in scenario.promos
        ]
        return cls(
            scenario=scenario,
            population=population,
            messages=messages,
            appeal=Appeal.draw(messages, shop_streams),
            streams=streams,
            shop_streams=shop_streams,
            presence=Presence(scenario.hours, scenario.first_hour, boosts),
            mental_state=MentalState(population.tolerance, len(messages.names)),
            consent=population.consent & (population.joins == 0)[:, None],
            next_visit=np.full(count, np.inf),
            trigger_hours=np.full((trigger_kinds, count), NEVER, dtype=np.int32),
            margins=Margins(count, scenario.weeks),
        )

    @property
    def size(self) -> int:
        """The number of shoppers, including those who have not joined yet."""
        return len(self.population)

    def week(self, hour: int) -> int:
        """Return the number of the week; hours after the calendar belong to its last week."""
        return min(hour // 168, self.scenario.weeks - 1)

    def plan_visits(self, hour: int, shoppers: Indices, uniforms: FloatArray) -> None:
        """Draw the next visits that no message caused, after the end of this hour."""
        shift = self.population.shift_h[shoppers]
        with np.errstate(divide="ignore"):  # a rate of 0 makes no visit
            waits = -np.log1p(-uniforms) / self.population.visits_per_hour[shoppers]
        # The wait is measured in hours of mean presence, then converted to the calendar.
        visit = self.presence.hours_at(self.presence.integral_at(hour + 1.0 - shift) + waits)
        self.next_visit[shoppers] = visit + shift

    def presence_at(self, hours: FloatArray, shoppers: Indices) -> FloatArray:
        """Return the presence of shoppers at hours of the calendar."""
        return self.presence.presence_at(hours - self.population.shift_h[shoppers])

    def appeal_logits(self, hour: int, shoppers: Indices, messages: Indices, channels: Indices) -> FloatArray:
        """Return the logits of clicks by shoppers who are not tired and have no intent to buy; the arrays broadcast."""
        people = self.population
        taste = np.einsum("...d,...d->...", people.taste[shoppers], self.appeal.direction[messages])
        flip = self.scenario.taste_flip_week
        if flip is not None and hour >= flip * 168:
            taste = -taste
        intercept = self.messages.channels.intercept[channels]
        level = intercept + people.click_logit[shoppers] + people.channel_taste[shoppers, channels]
        popularity = self.popularity[self.week(hour)][messages]
        return np.asarray(level + taste + popularity + self._offer_logits(hour, messages))

    def _offer_logits(self, hour: int, messages: Indices) -> FloatArray | float:
        """Return the logits that today's promotion adds to offers; 0 without a promotion."""
        day = hour // 24
        for promo in self.scenario.promos:
            if promo.first_day <= day < promo.first_day + promo.days:
                return np.asarray(promo.offer_logit * self.messages.is_offer[messages], dtype=np.float64)
        return 0.0

    def order_factor(self, hour: int) -> float:
        """Return the factor by which today's promotion multiplies the orders in visits; 1 without a promotion."""
        day = hour // 24
        return next((promo.orders for promo in self.scenario.promos if 0 <= day - promo.first_day < promo.days), 1.0)

    @cached_property
    def popularity(self) -> FloatArray:
        """Logits of the messages by week, (weeks, M): the message's level plus its category's random change."""
        popularity = np.tile(self.appeal.level, (self.scenario.weeks, 1))
        if self.scenario.weekly_shock == 0.0:
            return popularity
        names, category_of = np.unique(self.messages.categories, return_inverse=True)
        for week in range(self.scenario.weeks):
            # Box and Muller: two uniform numbers, a radius and an angle, make one normal number for each category.
            positions = np.arange(2 * len(names))
            radius, angle = self.shop_streams.uniforms(week * 168, [Purpose.weekly_shock], positions)[0].reshape(2, -1)
            popularity[week] += self.scenario.weekly_shock * to_normals(radius, angle)[category_of]
        return popularity

    def withdraw_consent(self, shoppers: Indices, channels: Indices) -> None:
        """End consent permanently: the consent of ``shoppers[i]`` on ``channels[i]``."""
        self.consent[shoppers, channels] = False


def epoch_seconds(scenario: Scenario, hours: float) -> float:
    """Return the epoch time of an hour of the calendar, rounded down to whole seconds.

    A whole second is the same number as a float in this process and as text in a request, so a run over HTTP and a run
    in process log equal times. Rounding down keeps a time within its hour: rounded up, it could lie after the hour that
    the world has reached.
    """
    return float(scenario.start + int(hours * 3_600.0))
