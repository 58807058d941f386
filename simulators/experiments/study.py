"""A study: several contenders run in the same worlds, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray
from simulators.experiments.comparison import MeanEstimate
from simulators.experiments.counts import Counts
from simulators.experiments.incremental_value import IncrementalValue
from simulators.experiments.simulation import Simulation
from simulators.scenario import Scenario
from simulators.shops.base import Shop
from simulators.shops.broadcast import NoSends, Sender, run_sender
from simulators.shops.local import LocalShop, PolicySource
from simulators.world.messages import Messages
from simulators.world.tick import Tick
from simulators.world.world import World

ReportHours = Callable[[int], None]
"""Takes the number of hours that have passed since the last call."""

Play = Callable[[World, int, ReportHours], Counts]
"""Runs a contender in a world to the end of the simulated period, and returns the counts of the run.

The arguments are the world, its seed, and a function that the run calls with the hours that have passed.
"""

# 97.5 % quantiles of Student's t for 1 to 10 degrees of freedom. Above 10 degrees we use the normal quantile. It is up
# to 11 % too small: at 11 degrees the quantile of t is 2.201.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_NORMAL = 1.959963984540054


@dataclass(frozen=True)
class Contender:
    """A policy, a sender or a shop that a study compares with others: a name, and a function that runs it."""

    name: str
    play: Play


@dataclass(frozen=True)
class Result:
    """The result of one contender with one seed.

    Attributes
    ----------
    weekly
        Expected incremental value per shopper by week, (weeks,).
    realised
        Realised incremental value per shopper over the run.
    reach
        Share of the consents that shoppers gave at the start (or when they joined) and that are still given at the end.
    """

    contender: str
    seed: int
    shoppers: int
    weekly: FloatArray
    realised: float
    reach: float
    counts: Counts

    @property
    def value(self) -> float:
        """Expected incremental value per shopper over the run."""
        return float(self.weekly.sum())

    @property
    def value_of_last_third(self) -> float:
        """Expected incremental value per shopper over the last third of the weeks: four of twelve."""
        return float(self.weekly[-max(1, len(self.weekly) // 3) :].sum())

    @property
    def sends(self) -> int:
        """The number of delivered sends."""
        return self.counts.total("delivered")

    @property
    def sends_per_week(self) -> float:
        """Delivered sends per shopper and week."""
        return self.sends / self.shoppers / len(self.weekly)

    def per_send(self, kind: str) -> float:
        """Return the outcomes of a type per delivered send."""
        return self.counts.total(kind) / max(1, self.sends)

    @property
    def withdrawals_per_1000(self) -> float:
        """Opt-outs and complaints per 1,000 delivered sends."""
        return 1_000.0 * float(self.counts.withdrawals.sum()) / max(1, self.sends)

    @property
    def revenue_per_send(self) -> float:
        """Value of the orders that followed a message, per delivered send: also orders that would have come anyway."""
        return float(self.counts.revenue.sum()) / max(1, self.sends)


def sender_contender(name: str, make: Callable[[], Sender]) -> Contender:
    """Return a `Sender` as a contender: a sender decides for all shoppers at once, without guardrails."""

    def play(world: World, seed: int, report_hours: ReportHours) -> Counts:
        counts = Counts(world.scenario.weeks, world.messages)

        def on_tick(tick: Tick) -> None:
            counts.record_tick(tick)
            report_hours(1)

        run_sender(world, make(), on_tick=on_tick, on_sends=counts.record_sends)
        return counts

    return Contender(name, play)


def shop_contender(name: str, make: Callable[[World, int], Shop], rulebook: Rulebook) -> Contender:
    """Return a `Shop` as a contender: a shop decides on triggers, within the guardrails."""

    def play(world: World, seed: int, report_hours: ReportHours) -> Counts:
        name = f"{world.scenario.name}-{seed}"  # begins every event id, so each seed has its own draws
        simulation = Simulation(make(world, seed), world, rulebook, name)
        simulation.run(report_hours)
        return simulation.counts

    return Contender(name, play)


def policy_contender(name: str, make: Callable[[World], PolicySource], rulebook: Rulebook) -> Contender:
    """Return a policy source as a contender, in a shop of this process."""
    return shop_contender(name, lambda world, seed: LocalShop(make(world), rulebook, str(seed).encode()), rulebook)


@dataclass(frozen=True)
class Study:
    """The worlds in which all contenders run, one per seed. `compare` runs the contenders in them.

    Raises
    ------
    ValueError
        When a field has an impossible value; the message names the field.
    """

    scenario: Scenario
    shoppers: int
    seeds: Sequence[int]
    rulebook: Rulebook

    def __post_init__(self) -> None:
        if self.shoppers < 1:
            raise ValueError(f"shoppers must be at least 1, not {self.shoppers}")
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds must be one or more different numbers, 0 or higher")
        Messages.of(self.rulebook)  # raises for channels that the world does not know

    def world(self, seed: int) -> World:
        """Return a new world of a seed."""
        return World(self.scenario, self.shoppers, seed, Messages.of(self.rulebook))

    def compare(self, contenders: Sequence[Contender], on_hours: Callable[[str, int], None]) -> list[Result]:
        """Run all contenders with all seeds; ``on_hours`` is called with a contender's name and the hours passed."""
        results: list[Result] = []
        for seed in self.seeds:
            twin = self.world(seed)  # the same world without any send, to subtract
            run_sender(twin, NoSends())
            for contender in contenders:
                world = self.world(seed)
                counts = contender.play(world, seed, partial(on_hours, contender.name))
                results.append(_result(contender.name, seed, world, twin, counts))
        return results


def _result(name: str, seed: int, world: World, twin: World, counts: Counts) -> Result:
    value = IncrementalValue.of(world, twin)
    initial = world.population.consent
    return Result(
        contender=name,
        seed=seed,
        shoppers=len(world.population),
        weekly=value.weekly,
        realised=float(value.realised.mean()),
        reach=float(world.consent.sum() / max(1, initial.sum())),
        counts=counts,
    )


def estimate_over_seeds(values: Sequence[float]) -> MeanEstimate:
    """Estimate a mean over seeds with a 95 % interval by Student's t; with one seed, low and high are the mean.

    >>> estimate = estimate_over_seeds([1.0, 2.0, 3.0])
    >>> estimate.value, round(estimate.low, 2), round(estimate.high, 2)
    (2.0, -0.48, 4.48)
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return MeanEstimate(mean, mean, mean)
    degrees = len(values) - 1
    quantile = _T[degrees - 1] if degrees <= len(_T) else _NORMAL
    half_width = quantile * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return MeanEstimate(mean, mean - half_width, mean + half_width)
