"""The worth of a consent after a run: what one more live consent earns the planner in the 26 weeks after it.

Equal copies of a training population meet the planner for the weeks of the scenario and 26 further ones. At the horizon
each copy but the first loses its consents to one channel. The difference of the margins after the horizon, divided by
the number of these consents that were live, is the worth: at least 0. All copies meet the same random numbers.
"""

from __future__ import annotations

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import Indices
from simulators.experiments.simulation import Simulation
from simulators.plans.plan import Plan
from simulators.plans.training_world import open_training_world
from simulators.scenario import Scenario
from simulators.shops.base import ConsentChange, shopper_id
from simulators.shops.later_costs import AFTER_WEEKS, ConsentWorth
from simulators.shops.planner import Planner
from simulators.world.consents import live_consents
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
    live = live_consents(world.consent, world.state.mental_state.lapsed).sum(axis=0) / (1 + len(channels))
    for number in range(len(channels)):
        copy = np.arange(shoppers) + (1 + number) * shoppers
        _withdraw(world, planner, copy[world.consent[copy, number]], number)
    simulation.run()
    margins = world.margins.expected.reshape(-1, shoppers).sum(axis=1)
    return {
        name: float(max(0.0, (margins[0] - margin) / max(1.0, count)))
        for name, margin, count in zip(channels, margins[1:], live, strict=True)
    }


def _withdraw(world: World, planner: Planner, shoppers: Indices, channel: int) -> None:
    """Withdraw the consents of shoppers to a channel."""
    world.state.withdraw_consent(shoppers, np.full(len(shoppers), channel))
    name = world.messages.channels.names[channel]
    changes = [ConsentChange(shopper_id(shopper), {name: False}) for shopper in shoppers.tolist()]
    planner.change_consent(changes, world.now)
