"""The training population of a scenario: other shoppers than those that the planner is judged on.

The worth of consents and the prices are found on the training population.
"""

from __future__ import annotations

from policies.catalogue.rulebook import Rulebook
from simulators.random_streams import Seeds
from simulators.scenarios.scenario import Scenario
from simulators.world.messages import Messages
from simulators.world.world import World

TRAINING_SHOP, FIRST_TRAINING_SHOPPER = 1_000_003, 1_000_000_000
"""The seeds of the shop and of the first shopper of training populations: nobody is judged on them."""


def open_training_world(scenario: Scenario, rulebook: Rulebook, shoppers: int, copies: int = 1) -> World:
    """Return a world with the training population: equal copies of the same shoppers, one after the other.

    What is done to one copy changes no other, so that one run compares as many ways of deciding as there are copies.
    """
    seeds = tuple(range(FIRST_TRAINING_SHOPPER, FIRST_TRAINING_SHOPPER + shoppers))
    return World(scenario, shoppers * copies, Seeds(TRAINING_SHOP, seeds * copies), Messages.of(rulebook))
