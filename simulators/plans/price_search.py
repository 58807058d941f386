"""The search of the planner's prices, on a training population: shoppers whom nobody is judged on.

A round compares the best prices so far with several changes of them, each on an equal copy of the training population
in one run, so that all meet the same random numbers. The change that earns the most becomes the best, if it earns more
than chance explains: by more than one standard error of the paired differences of the shoppers. The search is
deterministic.

Where shoppers come rarely, a broadcast by the calendar may earn nearly as much as a policy that waits for triggers.
There, and only there, the planner also asks by itself on some days of the week (see `simulators.shops.campaigns`).
Whether a broadcast comes so near is decided on three times as many shoppers, by the standard error of the paired
differences: on the training population alone chance would decide it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray
from simulators.experiments.contender import Contender, broadcasts
from simulators.experiments.simulation import Simulation
from simulators.experiments.weekly_values import values_of
from simulators.plans.consent_worth import measure_worth
from simulators.plans.plan import Plan
from simulators.plans.training_world import open_training_world
from simulators.scenarios.scenario import Scenario
from simulators.shops.later_costs import ConsentWorth, Prices
from simulators.shops.planner import Planner

SHOPPERS, ROUNDS = 500, 3
"""Size of the training population, and the rounds of a search: 35 runs of the planner at most."""

CAMPAIGNS = (1, 2, 3, 5)
"""Numbers of campaigns a week that are tried."""

TIMES_AS_MANY, SURE = 3, 2.0
"""A broadcast that is not `SURE` standard errors below the planner, on `TIMES_AS_MANY` times as many shoppers, makes
campaigns worth a trial."""

_MARGIN_OF_AN_ORDER = 34.8
"""In the base world: the first prices of other worlds are in proportion to theirs."""

_FACTORS: tuple[tuple[str, float], ...] = (
    *(("visit", 2.0), ("visit", 0.5), ("load", 3.0), ("load", 0.3)),
    *(("consent", 2.0), ("consent", 0.5), ("overload", 3.0)),
)
"""Prices and the factors that a round tries; a visit has a price only where shoppers order by themselves."""

Compared = Sequence[tuple[Prices, FloatArray]]
"""Prices, each with the value of every shopper under the planner with these prices, (N,)."""


class TrainingPopulation(Protocol):
    """Shoppers whom nobody is judged on. Whatever they are asked, they meet the same random numbers."""

    def measure_worth(self, guess: Plan) -> ConsentWorth:
        """Return the worth of a consent by channel, if the planner decides by this plan."""
        ...

    def compare(self, worth: ConsentWorth, prices: Sequence[Prices]) -> Compared:
        """Return the values under the planner with each of the prices, where consents have this worth."""
        ...


def make_plan(scenario: Scenario, rulebook: Rulebook, shoppers: int = SHOPPERS, rounds: int = ROUNDS) -> Plan:
    """Find the worth of consents in a scenario, then the planner's prices in so many rounds."""
    population = _ScenarioPopulation(scenario, rulebook, shoppers)
    plan = search_plan(population, scenario, rulebook, rounds)
    if _is_broadcast_near(_ScenarioPopulation(scenario, rulebook, TIMES_AS_MANY * shoppers), plan):
        campaigns = [replace(plan.prices, campaigns=float(count)) for count in CAMPAIGNS]
        return Plan(plan.worth, _choose(population.compare(plan.worth, [plan.prices, *campaigns])))
    return plan


def search_plan(population: TrainingPopulation, scenario: Scenario, rulebook: Rulebook, rounds: int) -> Plan:
    """Find the worth of consents for a training population, then the planner's prices in so many rounds."""
    first = first_plan(scenario, rulebook)
    worth = {channel: _round(one) for channel, one in population.measure_worth(first).items()}
    return Plan(worth, search_prices(scenario, rounds, first.prices, partial(population.compare, worth)))


def first_plan(scenario: Scenario, rulebook: Rulebook) -> Plan:
    """Return the plan that the search begins with, in proportion to the margin of an order."""
    money = _money(scenario)
    prices = Prices(visit=_round(1.4 * money), load=_round(0.02 * money), place=_round(0.001 * money))
    return Plan(dict.fromkeys(rulebook.space.channels, 2.0 * money), prices)


def _money(scenario: Scenario) -> float:
    return _round(scenario.parameters.margin * scenario.parameters.mean_order_value / _MARGIN_OF_AN_ORDER)


def _round(value: float) -> float:
    """Return three significant digits of a number: more would only be noise.

    >>> _round(1.9928)
    1.99
    """
    return float(f"{value:.3g}")


def search_prices(
    scenario: Scenario, rounds: int, best: Prices, compare: Callable[[Sequence[Prices]], Compared]
) -> Prices:
    """Return the best prices that so many rounds find, beginning with ``best``."""
    place = 0.01 * _money(scenario)  # what a round adds to the price of a place
    factors = [(price, factor) for price, factor in _FACTORS if price != "visit" or scenario.own_orders]
    for _ in range(rounds):
        changed = [replace(best, **{price: _round(factor * getattr(best, price))}) for price, factor in factors]
        best = _choose(compare([best, *changed, replace(best, place=_round(best.place + place))]))
    return best


def _is_broadcast_near(population: _ScenarioPopulation, plan: Plan) -> bool:
    """Return whether a broadcast is not surely below the planner with this plan."""
    ((_, values),) = population.compare(plan.worth, [plan.prices])
    others = (population.play(plan.worth, broadcast) for broadcast in broadcasts())
    return any(_in_standard_errors(other - values) > -SURE for other in others)


def _choose(compared: Compared) -> Prices:
    """Return the prices that earn the most; the first ones if no others earn more by more than a standard error."""
    best, values = compared[0]
    prices, most = max(compared, key=lambda one: float(one[1].mean()))
    return prices if _in_standard_errors(most - values) > 1.0 else best


def _in_standard_errors(differences: FloatArray) -> float:
    """Return the mean of differences in units of its standard error; 0 if there is no difference."""
    error = differences.std() / len(differences) ** 0.5
    return float(differences.mean() / error) if error > 0.0 else 0.0


@dataclass(frozen=True)
class _ScenarioPopulation:
    """The training population of a scenario: so many shoppers."""

    scenario: Scenario
    rulebook: Rulebook
    shoppers: int

    def measure_worth(self, guess: Plan) -> ConsentWorth:
        return measure_worth(self.scenario, self.rulebook, guess, self.shoppers)

    def compare(self, worth: ConsentWorth, prices: Sequence[Prices]) -> Compared:
        world = open_training_world(self.scenario, self.rulebook, self.shoppers, len(prices))
        planner = Planner(world, self.rulebook, worth, prices)
        Simulation(planner, world, self.rulebook, "search", planner.campaign).run()
        return list(zip(prices, values_of(world, worth).reshape(len(prices), -1), strict=True))

    def play(self, worth: ConsentWorth, contender: Contender) -> FloatArray:
        """Return the values under a contender, (N,)."""
        world = open_training_world(self.scenario, self.rulebook, self.shoppers)
        contender.play(world, 0, lambda hours: None)
        return values_of(world, worth)
