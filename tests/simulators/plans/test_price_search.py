"""The search of the planner's prices: which change it takes, and that its plan can be stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray
from simulators.plans.plan import Plan
from simulators.plans.price_search import make_plan, search_prices
from simulators.scenarios.scenario import Scenario
from simulators.shops.later_costs import Prices

BUSY = Scenario("busy", weeks=1, visits_per_week=8.0)


def test_a_plan_can_be_stored(example_rulebook: Rulebook) -> None:
    plan = make_plan(BUSY, example_rulebook, shoppers=4, rounds=1)
    assert plan.worth.keys() == set(example_rulebook.space.channels)
    assert min(plan.worth.values()) >= 0.0
    assert Plan.of_document(plan.to_document()) == plan


@pytest.mark.parametrize("own_orders", [True, False])
def test_a_round_takes_the_change_that_earns_surely_more(own_orders: bool) -> None:
    scenario, first = Scenario("fake", own_orders=own_orders), Prices()
    asked: list[Prices] = []

    def search(gain: float, spread: float) -> Prices:
        """Search where a dearer load earns more by ``gain``, with a spread over the shoppers."""

        def compare(prices: Sequence[Prices]) -> list[tuple[Prices, FloatArray]]:
            asked.extend(prices)
            noise = np.tile([-spread, spread], 50)  # its standard error is a tenth of the spread
            return [(one, (one.load > first.load) * (gain + noise)) for one in prices]

        return search_prices(scenario, 1, first, compare)

    assert search(gain=0.11, spread=1.0) == replace(first, load=0.06)
    assert search(gain=0.09, spread=1.0) == first
    visits = {one.visit for one in asked}
    assert visits == ({0.7, 1.4, 2.8} if own_orders else {1.4}), "only own orders give an own visit a price"
