"""A study: several contenders run in the same worlds, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

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

Progress = Callable[[int], None]
Play = Callable[[World, int, Progress], Counts]
"""Runs a contender in the world of a seed to the end of the simulated period, and reports every hour that passes."""

# 97.5 % quantiles of Student's t for 1 to 10 degrees of freedom; beyond, the normal quantile is within 10 %.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_NORMAL = 1.959963984540054


@dataclass(frozen=True)
class Contender:
    """One of the things that a study compares: a name, and a function that runs it."""

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
        Share of the consents at the start (or at joining) that still stand at the end.
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
    def last_weeks(self) -> float:
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
        """Value of the orders that followed a message, per delivered send: attributed, not incremental."""
        return float(self.counts.revenue.sum()) / max(1, self.sends)


def sender_contender(name: str, make: Callable[[], Sender]) -> Contender:
    """Return a sender as a contender: it decides for all shoppers at once, without guardrails."""

    def play(world: World, seed: int, progress: Progress) -> Counts:
        counts = Counts(world.scenario.weeks, world.messages)

        def on_tick(tick: Tick) -> None:
            counts.record_tick(tick)
            progress(1)

        run_sender(world, make(), on_tick=on_tick, on_sends=counts.record_sends)
        return counts

    return Contender(name, play)


def shop_contender(name: str, make: Callable[[World, int], Shop], rulebook: Rulebook) -> Contender:
    """Return a shop as a contender: it decides on triggers, within the guardrails."""

    def play(world: World, seed: int, progress: Progress) -> Counts:
        simulation = Simulation(make(world, seed), world, rulebook, f"{world.scenario.name}-{seed}")
        simulation.run(progress)
        return simulation.counts

    return Contender(name, play)


def policy_contender(name: str, make: Callable[[World], PolicySource], rulebook: Rulebook) -> Contender:
    """Return a policy source as a contender, in a shop of this process."""
    return shop_contender(name, lambda world, seed: LocalShop(make(world), rulebook, str(seed).encode()), rulebook)


@dataclass(frozen=True)
class Study:
    """The worlds in which all contenders run.

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
            raise ValueError("seeds must name at least one seed of at least 0, each once")
        Messages.of(self.rulebook)  # raises for channels that the world does not know

    def world(self, seed: int) -> World:
        """Return a new world of a seed."""
        return World(self.scenario, self.shoppers, seed, Messages.of(self.rulebook))

    def compare(self, contenders: Iterable[Contender], progress: Callable[[str, int], None]) -> list[Result]:
        """Run all contenders with all seeds; ``progress`` is called with a contender's name and the hours passed."""
        results: list[Result] = []
        chosen = list(contenders)
        for seed in self.seeds:
            twin = self.world(seed)
            run_sender(twin, NoSends())
            for contender in chosen:
                world = self.world(seed)

                def advance(hours: int, name: str = contender.name) -> None:
                    progress(name, hours)

                counts = contender.play(world, seed, advance)
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
    """Estimate a mean over seeds with a 95 % interval by Student's t; one seed alone has no interval.

    >>> estimate = estimate_over_seeds([1.0, 2.0, 3.0])
    >>> estimate.value, round(estimate.low, 2), round(estimate.high, 2)
    (2.0, -0.48, 4.48)
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return MeanEstimate(mean, mean, mean)
    degrees = len(values) - 1
    quantile = _T[degrees - 1] if degrees <= len(_T) else _NORMAL
    error = quantile * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return MeanEstimate(mean, mean - error, mean + error)
