"""The speed of the simulated world with `decide` in the loop.

``python -m benchmarks.speed.turns.simulator_timer POLICY SHOPPERS SEED`` measures one run for each line on its standard
input. An older checkout runs this very file against its own packages: see `other_checkout`. Therefore this file imports
nothing that an older version lacks.
"""

from __future__ import annotations

import json
import sys
import time

from decision_service.catalogues.file import example
from decision_service.cli.own_policy import make_source
from policies.catalogue.rulebook import Rulebook
from policies.models.registry import POLICIES
from simulators.experiments.simulation import Simulation
from simulators.scenario import find_scenario
from simulators.shops.local import LocalShop
from simulators.world.messages import Messages
from simulators.world.world import World

_WEEKS = 4


class SimulatorTimer:
    """Times simulations of a shop, each with another seed.

    Parameters
    ----------
    policy
        ``default``, which learns, or ``rule``.
    shoppers
        How many shoppers the world has.
    seed
        The seed of the first simulation.
    """

    def __init__(self, policy: str, shoppers: int, seed: int) -> None:
        self._rulebook = Rulebook.of(example(), 1)
        self._policy, self._shoppers, self._seed = policy, shoppers, seed

    def measure(self) -> float:
        """Run one simulation, and return its shopper-hours per second of CPU time."""
        simulation = self._next_simulation()
        begin = time.process_time()
        simulation.run()
        return self._shoppers * _WEEKS * 168 / (time.process_time() - begin)

    def _next_simulation(self) -> Simulation:
        policy_source = make_source(POLICIES[self._policy], self._rulebook)
        seed, self._seed = self._seed, self._seed + 1
        world = World(find_scenario("stationary").with_weeks(_WEEKS), self._shoppers, seed, Messages.of(self._rulebook))
        shop = LocalShop(policy_source, self._rulebook, b"benchmark")
        return Simulation(shop, world, self._rulebook, f"benchmark-{seed}")


def main(policy: str, shoppers: str, seed: str) -> None:
    """Measure one run for each line on standard input."""
    timer = SimulatorTimer(policy, int(shoppers), int(seed))
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(timer.measure()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
