"""The training population: equal copies do not touch each other."""

from __future__ import annotations

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.simulation import Simulation
from simulators.plans.training_world import open_training_world
from simulators.scenarios.scenario import Scenario
from simulators.shops.later_costs import Prices
from simulators.shops.planner import Planner
from simulators.world.world import World

BUSY = Scenario("busy", weeks=1, visits_per_week=8.0)
SHOPPERS = 12


def play(rulebook: Rulebook, *prices: Prices) -> World:
    world = open_training_world(BUSY, rulebook, SHOPPERS, len(prices))
    planner = Planner(world, rulebook, {"push": 1.0}, prices)
    Simulation(planner, world, rulebook, "training", planner.campaign).run()
    return world


def test_each_copy_is_what_it_would_be_alone(example_rulebook: Rulebook) -> None:
    few, many = Prices(place=0.3), Prices(campaigns=7.0, load=0.0)
    both = play(example_rulebook, few, many).margins.expected.reshape(2, SHOPPERS)
    for copy, prices in zip(both, (few, many), strict=True):
        assert np.array_equal(copy, play(example_rulebook, prices).margins.expected)
    assert not np.array_equal(*both)
