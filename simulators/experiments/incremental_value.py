"""The incremental value of a shop: the margin of its shoppers minus the margin of the same shoppers without sends."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.arrays import FloatArray
from simulators.scenario import Scenario
from simulators.shops.broadcast import NoSends, run_sender
from simulators.world.messages import Messages
from simulators.world.world import World


@dataclass(frozen=True)
class IncrementalValue:
    """Incremental margin: margin of orders minus costs of sends, minus the margin without any send.

    Attributes
    ----------
    realised
        From the orders themselves, by shopper, (N,).
    expected
        Every order replaced by its true probability times the mean order value, along the path that the shop took,
        by shopper, (N,): the same mean without the noise of rare orders.
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
            When the two worlds are not in the same hour of the same scenario.
        """
        if (world.scenario, world.hour, len(world.population)) != (twin.scenario, twin.hour, len(twin.population)):
            raise ValueError("twin must be at the same hour of the same scenario with as many shoppers")
        margins, without = world.margins, twin.margins
        return cls(
            realised=margins.realised - without.realised,
            expected=margins.expected - without.expected,
            weekly=(margins.weekly_expected - without.weekly_expected) / len(world.population),
        )

    def per_shopper(self) -> float:
        """Return the expected value per shopper over the run."""
        return float(self.expected.mean())


def run_twin(scenario: Scenario, shoppers: int, seed: int, messages: Messages) -> World:
    """Return a world that ran to the end of its calendar without sends."""
    world = World(scenario, shoppers, seed, messages)
    run_sender(world, NoSends())
    return world


def regret(value: IncrementalValue, best: IncrementalValue) -> float:
    """Return the loss of a policy per shopper against another policy, usually the oracle, on the same seed."""
    return best.per_shopper() - value.per_shopper()
