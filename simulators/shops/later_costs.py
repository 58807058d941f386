"""The later costs and savings of a send, by the prices of the planner.

An opt-out costs the live consents that are lost with it, and the visits of a shopper who lapses after it. A message
that wins a lapsed shopper back gains both. A consent is worth its earnings after the run (`ConsentWorth`) and those in
the weeks left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray, Indices
from simulators.truth.prospects import Prospects
from simulators.world.world import World

AFTER_WEEKS = 26
"""Weeks after the run in which a consent has its worth."""

ConsentWorth = Mapping[str, float]
"""Channel → what one more live consent at the end of a run earns the planner in the next `AFTER_WEEKS` weeks."""

_WEEK_H = 168.0


@dataclass(frozen=True)
class Prices:
    """What the planner pays for what a send costs later; six numbers, in money where nothing else is said.

    Attributes
    ----------
    consent
        Factor on what a consent earns in the weeks left: its worth · weeks left / `AFTER_WEEKS`.
    visit
        For each own visit in the weeks left: lost when a shopper lapses, gained when she is won back.
    load
        For the load of one push that is seen.
    overload
        By which factor the price of load rises with each tolerated load that the shopper has above her tolerance.
    place
        For a place under the caps: what a send must earn at least. Above 0, so that nothing is sent without effect.
    campaigns
        Days a week on which the planner also asks by itself, 0 to 7.
    """

    consent: float = 1.0
    visit: float = 1.4
    load: float = 0.02
    overload: float = 1.0
    place: float = 0.001
    campaigns: float = 0.0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not 0.0 <= value < float("inf"):
                raise ValueError(f"{one.name} must be a number of at least 0, not {value}")
        if self.campaigns not in range(8):
            raise ValueError(f"campaigns must be a whole number from 0 to 7, not {self.campaigns}")


class LaterCosts:
    """Scores sends by their margin now and their costs later.

    Parameters
    ----------
    prices
        The prices of each copy of the population, which has as many equal copies one after the other as there are
        prices; a search compares prices so in one run.
    """

    def __init__(self, world: World, rulebook: Rulebook, worth: ConsentWorth, prices: Sequence[Prices]) -> None:
        copies = np.arange(len(world.population)) * len(prices) // len(world.population)
        self._prices = {
            one.name: np.array([getattr(of_copy, one.name) for of_copy in prices])[copies] for one in fields(Prices)
        }
        self._world = world
        self._parameters = world.scenario.parameters
        self._worth = np.array([worth.get(name, 0.0) for name in rulebook.space.channels])

    def score(self, shoppers: Indices, prospects: Prospects) -> FloatArray:
        """Return the scores (S, n) of all joint actions for shoppers (S,)."""
        state, prices = self._world.state, {name: column[shoppers] for name, column in self._prices.items()}
        consents, visits = self._worth_of_consents(shoppers), self._worth_of_visits(shoppers)
        stay = (consents.sum(axis=1) + visits)[:, None]
        sure = consents[:, prospects.space.channel_of]  # an opt-out ends this one whether the shopper lapses or not
        lost = prospects.losses(consents) + prospects.lapse * (stay - sure)
        overload = state.mental_state.overload(self._world.hour, shoppers)[:, None]
        load = (prices["load"][:, None] * (1.0 + prices["overload"][:, None] * overload)) * prospects.load
        lapsed = state.mental_state.lapsed[shoppers][:, None]
        won_back = np.where(lapsed, self._visit(prospects) * self._parameters.win_back_per_visit * stay, 0.0)
        first = 1e-9 * np.arange(len(prospects.space))  # of equal sends the first one: no draw decides
        return np.asarray(prospects.margin + won_back - lost - load - prices["place"][:, None] - first)

    def _visit(self, prospects: Prospects) -> FloatArray:
        """Return the probability of a visit because of the message: a shopper who clicks or returns visits."""
        returning = prospects.channels.returning[prospects.space.channel_of]
        return np.asarray(prospects.click + (prospects.seen - prospects.click) * returning)

    def _worth_of_consents(self, shoppers: Indices) -> FloatArray:
        """Return what the shoppers' consents earn in the weeks left and after the run, (S, C)."""
        earned = 1.0 + self._prices["consent"][shoppers] * self._weeks_left / AFTER_WEEKS
        return np.asarray(earned[:, None] * self._worth * self._world.consent[shoppers])

    def _worth_of_visits(self, shoppers: Indices) -> FloatArray:
        """Return what the shoppers' own visits earn in the weeks left, (S,)."""
        if not self._world.scenario.own_orders:
            return np.zeros(len(shoppers))
        visits = self._world.population.visits_per_hour[shoppers] * (_WEEK_H * self._weeks_left)
        return np.asarray(self._prices["visit"][shoppers] * visits)

    @property
    def campaigns(self) -> FloatArray:
        """Days a week on which the planner also asks by itself, by shopper, (N,)."""
        return self._prices["campaigns"]

    @property
    def _weeks_left(self) -> float:
        return (self._world.scenario.hours - self._world.hour) / _WEEK_H
