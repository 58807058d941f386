"""The worth of a consent after a run: what one more live consent earns the planner in the 26 weeks after it.

Equal copies of a training population meet the planner for the weeks of the scenario and 26 further ones. At the horizon
each copy but the first loses its consents to one channel. The difference of the margins after the horizon, divided by
the number of these consents that were live, is the worth: at least 0. All copies meet the same random numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import Indices
from simulators.experiments.simulation import Simulation
from simulators.plans.plan import Plan
from simulators.plans.training_world import open_training_world
from simulators.scenarios.scenario import Scenario
from simulators.shops.base import ConsentChange, Shop, shopper_id
from simulators.shops.later_costs import AFTER_WEEKS, ConsentWorth
from simulators.shops.planner import Planner
from simulators.world.world import World


def measure_worth(scenario: Scenario, rulebook: Rulebook, guess: Plan, shoppers: int) -> ConsentWorth:
    """Return the worth of a consent by channel, from copies of a training population of so many shoppers.

    Parameters
    ----------
    guess
        The plan by which the planner decides in this run.
    """
    channels = rulebook.space.channels
    longer = scenario.with_weeks(scenario.weeks + AFTER_WEEKS)
    world = open_training_world(longer, rulebook, shoppers, 1 + len(channels))
    planner = Planner(world, rulebook, guess.worth, [guess.prices] * (1 + len(channels)))
    simulation = Simulation(planner, world, rulebook, "worth", planner.campaign)
    while world.hour < scenario.hours:
        simulation.step()
    live = [
        withdraw_consents(world, planner, np.arange(shoppers) + (1 + number) * shoppers, number)
        for number in range(len(channels))
    ]
    simulation.run()
    margins = world.margins.expected.reshape(-1, shoppers).sum(axis=1)
    return {
        name: float(max(0.0, (margins[0] - margin) / max(1, count)))
        for name, margin, count in zip(channels, margins[1:], live, strict=True)
    }


def withdraw_consents(
    world: World, shop: Shop, shoppers: Indices, channel: int, id_of: Callable[[int], str] = shopper_id
) -> int:
    """Withdraw the consents of shoppers to a channel, in the world and in its shop, and return how many were live."""
    consenting = shoppers[world.consent[shoppers, channel]]
    live = int((~world.state.mental_state.lapsed[consenting]).sum())
    world.state.withdraw_consent(consenting, np.full(len(consenting), channel))
    name = world.messages.channels.names[channel]
    shop.change_consent([ConsentChange(id_of(shopper), {name: False}) for shopper in consenting.tolist()], world.now)
    return live
