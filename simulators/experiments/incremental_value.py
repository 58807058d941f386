"""The true value of what a shop did: the margin of its shoppers, less that of their twins who got nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.scenario import Scenario
from simulators.shops.broadcast import NoSends, run
from simulators.world.messages import Messages
from simulators.world.world import World

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Value:
    """Incremental margin: of orders, less the costs of sends, less what comes without any send.

    Attributes
    ----------
    realised
        (N,), from the orders themselves, per shopper.
    expected
        (N,), every order replaced by its true probability times the mean order value, along the path that
        the shop took: the same mean without the noise of rare orders.
    weekly
        (weeks,), expected, per shopper.
    """

    realised: FloatArray
    expected: FloatArray
    weekly: FloatArray

    @classmethod
    def of(cls, world: World, twin: World) -> Value:
        """Compare a world with its twin: same scenario, seed and shoppers, nothing sent.

        Raises
        ------
        ValueError
            When the two are not at the same hour of the same scenario.
        """
        if (world.scenario, world.tick, len(world.population)) != (twin.scenario, twin.tick, len(twin.population)):
            raise ValueError("twin must be at the same hour of the same scenario with as many shoppers")
        own, other = world.ledger, twin.ledger
        return cls(
            realised=own.realised - other.realised,
            expected=own.expected - other.expected,
            weekly=(own.weekly_expected - other.weekly_expected) / len(world.population),
        )

    def per_shopper(self) -> float:
        """Give the expected value per shopper over the run."""
        return float(self.expected.mean())


def twin(scenario: Scenario, shoppers: int, seed: int, repertoire: Messages) -> World:
    """Let a world pass to whose shoppers nothing is sent."""
    world = World(scenario, shoppers, seed, repertoire)
    run(world, NoSends())
    return world


def regret(value: Value, best: Value) -> float:
    """Give what a policy lost per shopper against another, usually the oracle, on the same random numbers."""
    return best.per_shopper() - value.per_shopper()
