"""A study: several contenders deal with the same shoppers, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.comparison import Estimate
from simulators.experiments.counts import Counts
from simulators.experiments.incremental_value import Value
from simulators.experiments.simulation import Simulation
from simulators.scenario import Scenario
from simulators.shops.base import Shop
from simulators.shops.broadcast import NoSends, Sender, run
from simulators.shops.local import LocalShop, PolicySource
from simulators.world.messages import Messages
from simulators.world.tick import Tick
from simulators.world.world import World

FloatArray = NDArray[np.float64]
Progress = Callable[[int], None]
Play = Callable[[World, int, Progress], Counts]
"""Plays a world of a seed to its end, telling of every hour that passes."""

# 97.5 % quantiles of Student's t for 1 to 10 degrees of freedom; beyond, the normal quantile is within 10 %.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_NORMAL = 1.959963984540054


@dataclass(frozen=True)
class Contender:
    """What is compared: a name and how it plays."""

    name: str
    play: Play


@dataclass(frozen=True)
class Result:
    """What one contender made of one seed.

    Attributes
    ----------
    weekly
        (weeks,), expected incremental margin per shopper.
    realised
        The same from the orders themselves, over the run, per shopper.
    reach
        Share of the consents at the start (or at joining) that are left at the end.
    """

    contender: str
    seed: int
    shoppers: int
    weekly: FloatArray
    realised: float
    reach: float
    tally: Counts

    @property
    def value(self) -> float:
        """Expected incremental margin per shopper over the run."""
        return float(self.weekly.sum())

    @property
    def last_weeks(self) -> float:
        """The same over the last third of the weeks: four of twelve."""
        return float(self.weekly[-max(1, len(self.weekly) // 3) :].sum())

    @property
    def sends(self) -> int:
        """How many sends were delivered."""
        return self.tally.total("delivered")

    @property
    def sends_per_week(self) -> float:
        """Sends per shopper and week."""
        return self.sends / self.shoppers / len(self.weekly)

    def per_send(self, kind: str) -> float:
        """Give how often an outcome came per delivered send."""
        return self.tally.total(kind) / max(1, self.sends)

    @property
    def withdrawals_per_1000(self) -> float:
        """Opt-outs and complaints per 1,000 sends."""
        return 1_000.0 * float(self.tally.withdrawals.sum()) / max(1, self.sends)

    @property
    def revenue_per_send(self) -> float:
        """Value of the orders that followed a click or an open, per delivered send: attributed, not incremental."""
        return float(self.tally.revenue.sum()) / max(1, self.sends)


def sender_contender(name: str, make: Callable[[], Sender]) -> Contender:
    """Let a sender contend: it decides for all shoppers at once, without guardrails."""

    def play(world: World, seed: int, progress: Progress) -> Counts:
        tally = Counts(world.scenario.weeks, world.repertoire)

        def watch(hour: Tick) -> None:
            tally.saw(hour)
            progress(1)

        run(world, make(), watch=watch, note=tally.sent)
        return tally

    return Contender(name, play)


def shop_contender(name: str, make: Callable[[World, int], Shop], rulebook: Rulebook) -> Contender:
    """Let a shop contend: it decides on triggers, within the guardrails."""

    def play(world: World, seed: int, progress: Progress) -> Counts:
        simulation = Simulation(make(world, seed), world, rulebook, f"{world.scenario.name}-{seed}")
        simulation.run(progress)
        return simulation.tally

    return Contender(name, play)


def policy_contender(name: str, make: Callable[[World], PolicySource], rulebook: Rulebook) -> Contender:
    """Let a mind contend, in a shop of this process."""
    return shop_contender(name, lambda world, seed: LocalShop(make(world), rulebook, str(seed).encode()), rulebook)


@dataclass(frozen=True)
class Study:
    """The setting that all contenders meet.

    Raises
    ------
    ValueError
        Naming the field that makes no study.
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
        Messages.of(self.rulebook)  # refuses channels that the world does not know

    def world(self, seed: int) -> World:
        """Make the world of a seed."""
        return World(self.scenario, self.shoppers, seed, Messages.of(self.rulebook))

    def compare(self, contenders: Iterable[Contender], progress: Callable[[str, int], None]) -> list[Result]:
        """Let all contenders play all seeds; ``progress`` hears of hours by contender."""
        results: list[Result] = []
        chosen = list(contenders)
        for seed in self.seeds:
            twin = self.world(seed)
            run(twin, NoSends())
            for contender in chosen:
                world = self.world(seed)

                def advance(hours: int, name: str = contender.name) -> None:
                    progress(name, hours)

                tally = contender.play(world, seed, advance)
                results.append(_result(contender.name, seed, world, twin, tally))
        return results


def _result(name: str, seed: int, world: World, twin: World, tally: Counts) -> Result:
    value = Value.of(world, twin)
    initial = world.population.consent
    return Result(
        contender=name,
        seed=seed,
        shoppers=len(world.population),
        weekly=value.weekly,
        realised=float(value.realised.mean()),
        reach=float(world.consent.sum() / max(1, initial.sum())),
        tally=tally,
    )


def over_seeds(values: Sequence[float]) -> Estimate:
    """Estimate a mean over seeds with its 95 % interval of Student's t; a single seed has no interval.

    >>> found = over_seeds([1.0, 2.0, 3.0])
    >>> found.value, round(found.low, 2), round(found.high, 2)
    (2.0, -0.48, 4.48)
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, mean, mean)
    degrees = len(values) - 1
    quantile = _T[degrees - 1] if degrees <= len(_T) else _NORMAL
    error = quantile * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return Estimate(mean, mean - error, mean + error)
