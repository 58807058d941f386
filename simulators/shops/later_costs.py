"""What a send costs later, and what it saves: the prices of the planner.

An opt-out costs the live consents that are lost with it, and the visits of a shopper who lapses after it. A message
that wins a lapsed shopper back gains both. A consent is worth its earnings after the run (`ConsentWorth`) and those in
the weeks left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray, Indices
from simulators.world.consents import losses_per_opt_out
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
        For a place under the caps: what a send must earn at least.
    campaigns
        Days a week on which the planner also asks by itself, 0 to 7.
    """

    consent: float = 1.0
    visit: float = 1.4
    load: float = 0.02
    overload: float = 1.0
    place: float = 0.0
    campaigns: float = 0.0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not 0.0 <= value < float("inf"):
                raise ValueError(f"{one.name} must be a number of at least 0, not {value}")
        if self.campaigns not in range(8):
            raise ValueError(f"campaigns must be a whole number from 0 to 7, not {self.campaigns}")


class Effects(Protocol):
    """Expected effects of sends on shoppers, as arrays (shoppers, sends): see `Prospects`."""

    @property
    def seen(self) -> FloatArray: ...
    @property
    def click(self) -> FloatArray: ...
    @property
    def order(self) -> FloatArray: ...
    @property
    def out(self) -> FloatArray: ...
    @property
    def load(self) -> FloatArray: ...


class LaterCosts:
    """Scores sends by their margin now and their costs later."""

    def __init__(self, world: World, rulebook: Rulebook, worth: ConsentWorth, prices: Prices) -> None:
        self.prices = prices
        self._world = world
        self._parameters = world.scenario.parameters
        self._worth = np.array([worth.get(name, 0.0) for name in rulebook.space.channels])
        self._lost_per_opt_out = losses_per_opt_out(world.messages.channels, self._parameters)

    def score(self, shoppers: Indices, channels: Indices, costs: FloatArray, effects: Effects) -> FloatArray:
        """Return the scores (S, n) of sends for shoppers (S,).

        Parameters
        ----------
        channels, costs
            Channels and costs of the sends, (n,).
        """
        state, parameters, prices = self._world.state, self._parameters, self.prices
        lapsed = state.mental_state.lapsed[shoppers][:, None]
        per_order = parameters.margin * parameters.mean_order_value * (1.0 - state.population.refunds[shoppers])
        consents, visits = self._worth_of_consents(shoppers), self._worth_of_visits(shoppers)
        lost = consents @ self._lost_per_opt_out.T + parameters.lapse_per_opt_out * visits[:, None]
        per_out = np.where(lapsed, consents, lost)[:, channels]
        per_return = state.messages.channels.returning[channels]
        visit = effects.click + np.maximum(effects.seen - effects.click, 0.0) * per_return
        won_back = visit * parameters.win_back_per_visit * (visits + consents.sum(axis=1))[:, None]
        overload = state.mental_state.overload(self._world.hour, shoppers)[:, None]
        load = prices.load * (1.0 + prices.overload * overload) * effects.load
        margin = per_order[:, None] * effects.order - costs + np.where(lapsed, won_back, 0.0)
        return np.asarray(margin - effects.out * per_out - load - prices.place)

    def _worth_of_consents(self, shoppers: Indices) -> FloatArray:
        """Return what the shoppers' consents earn in the weeks left and after the run, (S, C)."""
        earned = 1.0 + self.prices.consent * self._weeks_left / AFTER_WEEKS
        return np.asarray(earned * self._worth * self._world.consent[shoppers])

    def _worth_of_visits(self, shoppers: Indices) -> FloatArray:
        """Return what the shoppers' own visits earn in the weeks left, (S,)."""
        if not self._world.scenario.own_orders:
            return np.zeros(len(shoppers))
        visits = self._world.population.visits_per_hour[shoppers] * (_WEEK_H * self._weeks_left)
        return np.asarray(self.prices.visit * visits)

    @property
    def _weeks_left(self) -> float:
        return (self._world.scenario.hours - self._world.hour) / _WEEK_H
