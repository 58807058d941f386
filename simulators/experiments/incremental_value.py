"""The incremental value of a shop: the margin of its shoppers minus the margin of the same shoppers without sends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.arrays import FloatArray
from simulators.scenarios.scenario import Scenario
from simulators.senders.sender import NoSends, run_sender
from simulators.world.messages import Messages
from simulators.world.world import World


@dataclass(frozen=True)
class IncrementalValue:
    """The incremental value: margin of orders minus costs of sends, minus the same margin without any send.

    Attributes
    ----------
    realised
        From the orders themselves, by shopper, (N,).
    expected
        The same, but every order is replaced by its true probability times the mean order value, given the sends that
        really happened in this run. ``expected`` has the same mean as ``realised``, without the noise of rare orders;
        by shopper, (N,).
    weekly
        The expected value per shopper by week, (weeks,).
    """

    realised: FloatArray
    expected: FloatArray
    weekly: FloatArray

    @classmethod
    def of(cls, world: World, twin: World) -> IncrementalValue:
        """Compare a world with its twin: the same scenario, seed and shoppers, without sends.

        Raises
        ------
        ValueError
            When the two worlds are not at the same hour of the same scenario, or have different shoppers (a different
            seed).
        """
        if (world.scenario, world.hour) != (twin.scenario, twin.hour):
            raise ValueError("twin must be at the same hour of the same scenario")
        if not np.array_equal(world.population.shift_h, twin.population.shift_h):  # drawn from the seed
            raise ValueError("twin must have the same shoppers: use the same seed and the same number of shoppers")
        margins, without = world.margins, twin.margins
        return cls(
            realised=margins.realised - without.realised,
            expected=margins.expected - without.expected,
            weekly=(margins.weekly_expected - without.weekly_expected) / len(world.population),
        )


def run_twin(scenario: Scenario, shoppers: int, seed: int, messages: Messages) -> World:
    """Return a world that ran to the end of its simulated period without sends."""
    world = World(scenario, shoppers, seed, messages)
    run_sender(world, NoSends())
    return world
