"""The twin population of a scenario: the same world with other shoppers than those that the planner is judged on.

Worths and prices are found on the twin population.
"""

from __future__ import annotations

from policies.catalogue.rulebook import Rulebook
from simulators.random_streams import Seeds
from simulators.scenario import Scenario
from simulators.world.messages import Messages
from simulators.world.world import World

TWIN_SHOP, FIRST_TWIN = 1_000_003, 1_000_000_000
"""The seeds of the shop and of the first shopper of twin populations: nobody is judged on them."""


def twin_world(scenario: Scenario, rulebook: Rulebook, shoppers: int, copies: int = 1) -> World:
    """Return the twin population of a scenario: equal copies of the same shoppers, one after the other.

    What is done to one copy changes no other, so that one run compares as many ways of deciding as there are copies.
    """
    seeds = tuple(range(FIRST_TWIN, FIRST_TWIN + shoppers))
    return World(scenario, shoppers * copies, Seeds(TWIN_SHOP, seeds * copies), Messages.of(rulebook))
