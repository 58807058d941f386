"""The search of the planner's prices, on a twin population: the same world with other shoppers.

Coordinate by coordinate, each price is tried higher and lower; a change stays if it earns more on the twin population
than chance explains: by more than one standard error of the paired differences of the shoppers. All runs meet the same
random numbers, so the search is deterministic.

Where shoppers come rarely, a broadcast by the calendar may earn nearly as much as a policy that waits for triggers.
There, and only there, the planner also asks by itself on some days of the week (see `simulators.shops.campaigns`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray
from simulators.experiments.consent_worth import measure_worth
from simulators.experiments.plan import TWIN, Plan, planner_contender, twin_world
from simulators.experiments.study import Contender, sender_contender, values_of
from simulators.scenario import Scenario
from simulators.shops.broadcast import NoSends, emails, push_daily, three_a_week
from simulators.shops.later_costs import ConsentWorth, Prices

SHOPPERS, RUNS = 500, 60
"""Size of the twin population, and the most runs of a search."""

SENDS_A_WEEK = (1, 2, 3, 5, 7)
CAMPAIGNS = (1, 2, 3, 5)
"""Numbers of e-mails and of campaigns a week that are tried."""

NEAR = 0.75
"""A broadcast that earns this share of the planner on the twin population makes campaigns worth a trial."""

_MARGIN_OF_AN_ORDER = 34.8
"""In the base world: the first prices of other worlds are in proportion to theirs."""

_FACTORS: tuple[tuple[str, float], ...] = (
    *(("visit", 2.0), ("visit", 0.5), ("load", 3.0), ("load", 0.3)),
    *(("consent", 2.0), ("consent", 0.5), ("overload", 3.0)),
)
"""Price and factor, in the order of the trials."""


def make_plan(scenario: Scenario, rulebook: Rulebook, shoppers: int = SHOPPERS, runs: int = RUNS) -> Plan:
    """Find the worth of consents in a scenario, then the planner's prices with at most so many runs.

    Raises
    ------
    ValueError
        When ``runs`` is above the most.
    """
    if not 1 <= runs <= RUNS:
        raise ValueError(f"runs must lie between 1 and {RUNS}, not {runs}")
    money = scenario.parameters.margin * scenario.parameters.mean_order_value / _MARGIN_OF_AN_ORDER
    start = Prices(visit=1.4 * money, load=0.02 * money)
    guess = Plan(dict.fromkeys(rulebook.space.channels, 2.0 * money), start)
    worth = measure_worth(scenario, rulebook, guess, shoppers)
    twin = _Twin(scenario, rulebook, worth, shoppers)
    return Plan(worth, _search(twin, start, 0.01 * money, runs))


def broadcasts() -> list[Contender]:
    """Return the broadcasts that stand among the baselines."""
    mails = [sender_contender(f"{count} e-mails", partial(emails, count)) for count in SENDS_A_WEEK]
    return [sender_contender("push daily", push_daily), sender_contender("3 per week", three_a_week), *mails]


def _search(twin: _Twin, start: Prices, place: float, runs: int) -> Prices:
    """Try changes of the prices one after the other, and return the best prices; ``place`` is a price of a place."""
    best, values = start, twin.plan(start)
    trials = [(price, factor, 0.0) for price, factor in _FACTORS]
    trials += [("place", 1.0, place)] * 2
    if max(float(twin.play(one).mean()) for one in broadcasts()) > NEAR * float(values.mean()):
        trials += [("campaigns", 0.0, count) for count in CAMPAIGNS]
    for price, factor, more in trials[: runs - 1]:
        tried = replace(best, **{price: factor * getattr(best, price) + more})
        tried_values = twin.plan(tried)
        if _earns_more(tried_values, values):
            best, values = tried, tried_values
    return best


def _earns_more(values: FloatArray, others: FloatArray) -> bool:
    """Return whether values are above others by more than one standard error."""
    differences = values - others
    return bool(differences.mean() > differences.std() / len(differences) ** 0.5)


class _Twin:
    """The twin population of a scenario: returns the value of each shopper under a contender, (N,)."""

    def __init__(self, scenario: Scenario, rulebook: Rulebook, worth: ConsentWorth, shoppers: int) -> None:
        self._scenario, self._rulebook, self._shoppers, self._worth = scenario, rulebook, shoppers, worth
        self._without = np.zeros(shoppers)
        self._without = self.play(sender_contender("no send", NoSends))

    def plan(self, prices: Prices) -> FloatArray:
        return self.play(planner_contender(partial(Plan, self._worth, prices), self._rulebook))

    def play(self, contender: Contender) -> FloatArray:
        world = twin_world(self._scenario, self._rulebook, self._shoppers)
        contender.play(world, TWIN.shop, lambda hours: None)
        return values_of(world, self._worth) - self._without
