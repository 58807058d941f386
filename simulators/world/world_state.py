"""The state of a world that all its mechanisms share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.random_streams import Purpose, RandomStreams, Seeds, to_normals
from simulators.scenarios.scenario import Scenario
from simulators.shoppers.mental_state import MentalState
from simulators.shoppers.population import Population
from simulators.shoppers.presence import Presence
from simulators.world.consents import ConsentLosses
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
    consent_losses: ConsentLosses

    @classmethod
    def draw(cls, scenario: Scenario, count: int, seeds: Seeds, messages: Messages, trigger_kinds: int) -> WorldState:
        """Draw the state before the first hour, with ``count`` shoppers and ``trigger_kinds`` scheduled triggers."""
        streams, shop_streams = seeds.shopper_streams(count), RandomStreams(seeds.shop)
        parameters = scenario.parameters
        messages = messages.with_parameters(parameters)
        population = Population.draw(scenario, count, messages.channels, streams)
        boosts = [
            (24 * promo.first_day, 24 * (promo.first_day + promo.days), promo.presence) for promo in scenario.promos
        ]
        return cls(
            scenario=scenario,
            population=population,
            messages=messages,
            appeal=Appeal.draw(messages, shop_streams, parameters),
            streams=streams,
            shop_streams=shop_streams,
            presence=Presence(scenario.hours, scenario.first_hour, boosts),
            mental_state=MentalState(population.tolerance, population.lapsed, len(messages.names), parameters),
            consent=population.consent & (population.joins == 0)[:, None],
            next_visit=np.full(count, np.inf),
            trigger_hours=np.full((trigger_kinds, count), NEVER, dtype=np.int32),
            margins=Margins(count, scenario.weeks),
            consent_losses=ConsentLosses(count, messages.channels),
        )

    @property
    def size(self) -> int:
        """The number of shoppers, including those who have not joined yet."""
        return len(self.population)

    def week(self, hour: int) -> int:
        """Return the number of the week; hours after the calendar belong to its last week."""
        return min(hour // 168, self.scenario.weeks - 1)

    def channels_in_outage(self, hour: int) -> list[int]:
        """Return the numbers of the channels that deliver nothing on the day of an hour."""
        day, names = hour // 24, self.messages.channels.names
        return [
            names.index(outage.channel)
            for outage in self.scenario.outages
            if outage.channel in names and 0 <= day - outage.first_day < outage.days
        ]

    def plan_visits(self, hour: int, shoppers: Indices, uniforms: FloatArray) -> None:
        """Draw the next visits that no message caused, after the end of this hour."""
        shift = self.population.shift_h[shoppers]
        with np.errstate(divide="ignore"):  # a rate of 0 makes no visit
            waits = -np.log1p(-uniforms) / self.population.visits_per_hour[shoppers]
        # The wait is measured in hours of mean presence, then converted to the calendar.
        visit = self.presence.hours_at(self.presence.integral_at(hour + 1.0 - shift) + waits)
        self.next_visit[shoppers] = visit + shift

    def appeal_logits(
        self, hours: int | Indices, shoppers: Indices, messages: Indices, channels: Indices
    ) -> FloatArray:
        """Return the logits of clicks by shoppers who are not tired and have no intent to buy; the arrays broadcast."""
        people = self.population
        tastes = people.taste.take(shoppers, axis=0) * self.appeal.direction.take(messages, axis=0)
        taste = tastes[..., 0] + tastes[..., 2] + (tastes[..., 1] + tastes[..., 3])
        flip = self.scenario.taste_flip_week
        if flip is not None:
            taste = np.where(hours >= np.int64(flip * 168), -taste, taste)
        intercept = self.messages.channels.intercept[channels]
        level = intercept + people.click_logit[shoppers] + people.channel_taste[shoppers, channels]
        logits = level + taste + self.popularity[np.minimum(hours // 168, self.scenario.weeks - 1), messages]
        if self.scenario.promos:
            logits = logits + self._promotions[0, self._day(hours)] * self.messages.is_offer[messages]
        return np.asarray(logits)

    @property
    def appeal_changes(self) -> bool:
        """Whether `appeal_logits` depend on the hour."""
        scenario = self.scenario
        return bool(scenario.promos or scenario.weekly_shock or scenario.taste_flip_week is not None)

    def order_factor(self, hours: int | Indices) -> FloatArray | float:
        """Return the factors by which the day's promotion multiplies the probability of an order; 1 without one."""
        return self._promotions[1, self._day(hours)] if self.scenario.promos else 1.0

    def _day(self, hours: int | Indices) -> Indices:
        """Return the numbers of days; all days after the calendar have one number."""
        return np.asarray(np.minimum(np.asarray(hours) // 24, self.scenario.weeks * 7), dtype=np.int64)

    @cached_property
    def _promotions(self) -> FloatArray:
        """The logits that the day's promotion adds to offers, and its factor on orders, by day, (2, days + 1)."""
        promotions = np.repeat([[0.0], [1.0]], self.scenario.weeks * 7 + 1, axis=1)
        for promo in reversed(self.scenario.promos):  # of two promotions on a day the first in the list holds
            promotions[:, promo.first_day : promo.first_day + promo.days] = [[promo.offer_logit], [promo.orders]]
        return promotions

    @cached_property
    def popularity(self) -> FloatArray:
        """Logits of the messages by week, (weeks, M): level, discount, and the category's random change."""
        level = self.appeal.level + self.scenario.parameters.offer_logit * self.messages.is_offer
        popularity = np.tile(level, (self.scenario.weeks, 1))
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

    def uninstall(self, shoppers: Indices) -> None:
        """End consent to all channels of the app."""
        for channel in np.flatnonzero(self.messages.channels.of_app):
            self.consent[shoppers, channel] = False


def epoch_seconds(scenario: Scenario, hours: float) -> float:
    """Return the epoch time of an hour of the calendar, rounded down to whole seconds.

    A whole second is the same number as a float in this process and as text in a request, so a run over HTTP and a run
    in process log equal times. Rounding down keeps a time within its hour: rounded up, it could lie after the hour that
    the world has reached.
    """
    return float(scenario.start + int(hours * 3_600.0))
