"""What policies earn in a world, and what its shop is told of the orders."""

from __future__ import annotations

from dataclasses import dataclass

from decision_service.catalogues.file import example
from decision_service.cli.own_policy import make_source
from decision_service.cli.simulate import ORACLE_LOAD_PRICE, ORACLE_PRICE
from policies.catalogue.rulebook import Rulebook
from policies.models.registry import BASELINES
from simulators.arrays import FloatArray
from simulators.experiments.counts import Counts
from simulators.experiments.simulation import Simulation
from simulators.experiments.study import Contender, ReportHours, Study, policy_contender
from simulators.scenario import Scenario
from simulators.shops.local import LocalShop
from simulators.shops.oracle import OraclePolicy
from simulators.world.truth import Truth
from simulators.world.world import World

PLANNER = "planner"
"""The best policy known."""


@dataclass(frozen=True)
class Earnings:
    """Expected incremental margin by shopper (N,) for each contender, and the orders credited to the rule's sends.

    ``credited_anyway`` are credited orders that no message caused: they would have come anyway.
    """

    by_contender: dict[str, FloatArray]
    credited: int
    credited_anyway: int


def measure_earnings(scenario: Scenario, shoppers: int, seed: int) -> Earnings:
    """Run the planner, the rule and uniform choice in one world with the example catalogue."""
    rulebook = Rulebook.of(example(), 1)
    rule = _Rule(rulebook)
    uniform = policy_contender("uniform", lambda world: make_source(BASELINES["uniform"], rulebook), rulebook)
    contenders = [_planner(rulebook), Contender("rule", rule.play), uniform]
    results = Study(scenario, shoppers, (seed,), rulebook).compare(contenders, lambda name, hours: None)
    return Earnings({result.contender: result.values() for result in results}, rule.credited, rule.credited_anyway)


def _planner(rulebook: Rulebook) -> Contender:
    return policy_contender(
        PLANNER,
        lambda world: OraclePolicy(Truth(world, rulebook), rulebook, ORACLE_PRICE, ORACLE_LOAD_PRICE),
        rulebook,
    )


class _Rule:
    """The business rule, and the orders that were credited to its sends."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self.credited = self.credited_anyway = 0

    def play(self, world: World, seed: int, report_hours: ReportHours) -> Counts:
        """Run the rule in a world: see `Contender`."""
        shop = LocalShop(make_source(BASELINES["rule"], self._rulebook), self._rulebook, str(seed).encode())
        simulation = Simulation(shop, world, self._rulebook, f"{world.scenario.name}-{seed}")
        simulation.run(report_hours)
        self.credited, self.credited_anyway = simulation.reporting.credited, simulation.reporting.credited_anyway
        return simulation.counts
