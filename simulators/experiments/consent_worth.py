"""The worth of a consent after a run: what one more live consent earns the planner in the 26 weeks after it.

The planner runs for the weeks of the scenario and 26 further ones, with all consents that are left; then again from the
horizon on, with the consents to one channel withdrawn. The difference of the margins after the horizon, divided by the
number of these live consents, is the worth: at least 0. All runs meet the same random numbers.
"""

from __future__ import annotations

import copy

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.plan import Plan, twin_world
from simulators.experiments.simulation import Simulation
from simulators.scenario import Scenario
from simulators.shops.base import ConsentChange, shopper_id
from simulators.shops.later_costs import AFTER_WEEKS, ConsentWorth
from simulators.shops.planner import Planner
from simulators.world.consents import live_consents
from simulators.world.world import World


def measure_worth(scenario: Scenario, rulebook: Rulebook, guess: Plan, shoppers: int) -> ConsentWorth:
    """Return the worth of a consent by channel.

    Parameters
    ----------
    guess
        The plan by which the planner decides in these runs.
    """
    run = _Run.begin(scenario.with_weeks(scenario.weeks + AFTER_WEEKS), rulebook, guess, shoppers)
    run.play_until(scenario.hours)
    world, without = run.world, {}
    live = live_consents(world.consent, world.state.mental_state.lapsed).sum(axis=0)
    for channel in range(len(live)):
        branch = run.branch()
        branch.withdraw(channel)
        branch.play_until(branch.world.scenario.hours)
        without[channel] = branch.margin
    run.play_until(world.scenario.hours)
    return {
        name: max(0.0, (run.margin - without[number]) / max(1, int(live[number])))
        for number, name in enumerate(rulebook.space.channels)
    }


class _Run:
    """A planner in a world, which can be continued in two ways."""

    def __init__(self, world: World, planner: Planner, simulation: Simulation, rulebook: Rulebook) -> None:
        self.world = world
        self._planner = planner
        self._simulation = simulation
        self._rulebook = rulebook

    @classmethod
    def begin(cls, scenario: Scenario, rulebook: Rulebook, plan: Plan, shoppers: int) -> _Run:
        world = twin_world(scenario, rulebook, shoppers)
        planner = Planner(world, rulebook, plan.worth, plan.prices)
        return cls(world, planner, Simulation(planner, world, rulebook, "worth", planner.campaign), rulebook)

    @property
    def margin(self) -> float:
        """The expected margin of all shoppers so far."""
        return float(self.world.margins.expected.sum())

    def branch(self) -> _Run:
        """Return a copy that continues by itself; it shares the catalogue, which never changes."""
        return copy.deepcopy(self, {id(self._rulebook): self._rulebook})

    def withdraw(self, channel: int) -> None:
        """Withdraw all consents to a channel."""
        shoppers = np.flatnonzero(self.world.consent[:, channel])
        self.world.state.withdraw_consent(shoppers, np.full(len(shoppers), channel))
        name = self.world.messages.channels.names[channel]
        changes = [ConsentChange(shopper_id(shopper), {name: False}) for shopper in shoppers.tolist()]
        self._planner.change_consent(changes, self.world.now)

    def play_until(self, hour: int) -> None:
        while self.world.hour < hour:
            self._simulation.step()
