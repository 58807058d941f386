"""The world of a replay: shoppers who buy as the file says, and whose reactions to messages are simulated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from policies.catalogue.rulebook import Rulebook
from simulators.random_streams import Seeds
from simulators.replay.pace import DAY_S
from simulators.replay.purchases import Purchase
from simulators.scenarios.scenario import Scenario
from simulators.world.messages import Messages
from simulators.world.world import World

SETTLES_DAYS = 31
"""Days after the last purchase until all outcomes are known: a message is seen within 8 days, an order follows within
a week, and is sent back within 16 days."""


def scenario_of(purchases: Sequence[Purchase], base: Scenario | None = None) -> Scenario:
    """Return the scenario of a replay: it spans the purchases, and shoppers order nothing without a message.

    Nobody joins later: a shop knows a shopper from her first purchase in the file.

    Everything else is as in ``base``, by default the world without changes.

    Raises
    ------
    ValueError
        When the purchases span more than two years.
    """
    start = int(purchases[0].at // DAY_S * DAY_S)
    days = (purchases[-1].at - start) / DAY_S + SETTLES_DAYS + 1
    scenario, weeks = base or Scenario("replay"), math.ceil(days / 7)
    return replace(scenario, weeks=weeks, start=start, own_orders=False, new_shoppers_per_week=0.0)


def shopper_numbers(purchases: Sequence[Purchase]) -> Mapping[str, int]:
    """Return the number of each shopper in the world, in the order of the first purchases."""
    return {name: number for number, name in enumerate(dict.fromkeys(purchase.shopper for purchase in purchases))}


def world_of(
    purchases: Sequence[Purchase], rulebook: Rulebook, seed: int | Seeds, scenario: Scenario | None = None
) -> World:
    """Return the world of a replay; without a scenario, with `scenario_of` the purchases.

    Parameters
    ----------
    seed
        Decides the traits of the shoppers and their reactions.
    """
    return World(scenario or scenario_of(purchases), len(shopper_numbers(purchases)), seed, Messages.of(rulebook))
