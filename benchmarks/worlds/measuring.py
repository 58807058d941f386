"""The figures of one world, and the files that keep them, so that an interrupted run continues."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.learning.plan import require_plan
from benchmarks.learning.planner import Runs, Sweep, Values, estimate
from benchmarks.worlds.broadcasts import measure_channels
from decision_service.catalogues.file import example
from decision_service.cli.own_policy import make_source
from policies.catalogue.rulebook import Rulebook
from policies.models.registry import BASELINES
from simulators.experiments.contender import NO_SEND, RULE, UNIFORM
from simulators.experiments.mean_estimate import MeanEstimate
from simulators.experiments.simulation import Simulation
from simulators.scenarios.scenario import Scenario
from simulators.shops.local import LocalShop
from simulators.shops.planner import PLANNER
from simulators.world.messages import Messages
from simulators.world.world import World

BROADCAST_FACTOR = 2
"""Shoppers of a broadcast by one channel, as a multiple of those of a policy."""


@dataclass(frozen=True)
class WorldFigures:
    """The figures of one world.

    Attributes
    ----------
    values
        Value of each shopper for each contender: see `benchmarks.learning.planner`.
    channels
        Expected incremental margin per shopper of each channel alone.
    credited, credited_anyway
        Orders credited to the sends of the rule, and those of them that no message caused.
    """

    name: str
    values: Values
    channels: Mapping[str, float]
    credited: int
    credited_anyway: int

    def value(self, contender: str) -> float:
        """Return the value per shopper of a contender."""
        return float(self.values[contender].mean())

    @property
    def planner_to_rule(self) -> float | None:
        """Planner ÷ rule; None where the rule earns no more than no send."""
        rule = self.value(RULE)
        return self.value(PLANNER) / rule if rule > self.value(NO_SEND) else None

    @property
    def planner_minus_rule(self) -> MeanEstimate:
        return estimate(self.values[PLANNER] - self.values[RULE])

    @property
    def rule_is_below(self) -> bool:
        """Whether the rule earns less than uniform choice or than no send."""
        return self.value(RULE) < max(self.value(UNIFORM), self.value(NO_SEND))

    @property
    def best_channel(self) -> str:
        """The channel that earns most alone."""
        return max(self.channels, key=lambda channel: self.channels[channel])

    @property
    def anyway(self) -> float | None:
        """The share of credited orders that would have come anyway; None without a credited order."""
        return self.credited_anyway / self.credited if self.credited else None

    @property
    def sweep(self) -> Sweep:
        """The best number of e-mails a week."""
        return Sweep.of(self.values)


@dataclass(frozen=True)
class Size:
    """How much is simulated of each world: shoppers and seeds."""

    shoppers: int
    seeds: Sequence[int]


def read_or_measure(scenario: Scenario, size: Size, keep: Path, progress: Callable[[str], None]) -> WorldFigures:
    """Return the figures of a world; measure what the directory ``keep`` does not have, and keep it there.

    The runs of the policies are those of the verb ``planner``.
    """
    runs = Runs(scenario, size.shoppers, size.seeds, partial(require_plan, scenario))
    values = runs.values(keep, progress)
    path = keep / f"{scenario.name}-{scenario.weeks}-{size.shoppers}-{size.seeds[0]}-{len(size.seeds)}.json"
    if not path.exists():
        document = {
            "channels": measure_channels(scenario, BROADCAST_FACTOR * size.shoppers * len(size.seeds), size.seeds[0]),
            **_measure_credits(scenario, size.shoppers, size.seeds[0]),
        }
        part = path.with_suffix(".part")
        part.write_text(json.dumps(document), encoding="utf-8")
        part.rename(path)
    figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return WorldFigures(scenario.name, values, **figures)


def _measure_credits(scenario: Scenario, shoppers: int, seed: int) -> dict[str, int]:
    """Run the rule, and count the orders that the rules of reports credit to its sends."""
    rulebook = Rulebook.of(example(), 1)
    shop = LocalShop(make_source(BASELINES[RULE], rulebook), rulebook, str(seed).encode())
    world = World(scenario, shoppers, seed, Messages.of(rulebook))
    simulation = Simulation(shop, world, rulebook, f"{scenario.name}-{seed}")
    simulation.run()
    reporting = simulation.reporting
    return {"credited": reporting.credits.orders, "credited_anyway": reporting.credits.orders_anyway}
