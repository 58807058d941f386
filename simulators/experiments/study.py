"""A study: several contenders run in the same worlds, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray
from simulators.experiments.counts import Counts
from simulators.experiments.incremental_value import IncrementalValue
from simulators.experiments.simulation import Simulation
from simulators.scenario import Scenario
from simulators.senders.sender import NoSends, Sender, run_sender
from simulators.shops.base import Shop
from simulators.shops.later_costs import ConsentWorth
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
    by_shopper
        Value of each shopper in each week, (weeks, N): the expected incremental margin, minus the worth of the live
        consents that are lost in expectation. The shoppers of a seed are the same for all contenders.
    realised
        Realised incremental margin per shopper over the run.
    reach
        Share of the consents that shoppers gave at the start (or when they joined) and that are still given at the end.
    """

    contender: str
    seed: int
    by_shopper: FloatArray
    realised: float
    reach: float
    counts: Counts

    @property
    def shoppers(self) -> int:
        """The number of shoppers."""
        return len(self.by_shopper[0])

    @property
    def weekly(self) -> FloatArray:
        """Value per shopper by week, (weeks,)."""
        return np.asarray(self.by_shopper.mean(axis=1))

    @property
    def value(self) -> float:
        """Value per shopper over the run."""
        return float(self.weekly.sum())

    @property
    def value_of_last_third(self) -> float:
        """Value per shopper over the last third of the weeks: see `last_third`."""
        return float(self.weekly[last_third(len(self.weekly)) :].sum())

    def values(self, first_week: int = 0) -> FloatArray:
        """Return the value of each shopper from a week on, (N,); weeks count from 0."""
        return np.asarray(self.by_shopper[first_week:].sum(axis=0))

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

    Attributes
    ----------
    worth
        What a live consent is worth after the run, by channel; nothing by default.

    Raises
    ------
    ValueError
        When a field has an impossible value; the message names the field.
    """

    scenario: Scenario
    shoppers: int
    seeds: Sequence[int]
    rulebook: Rulebook
    worth: ConsentWorth = field(default_factory=dict)

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
            without = _Weeks(twin, self.worth, lambda _: None)
            run_sender(twin, NoSends(), on_tick=without.pass_tick)
            for contender in contenders:
                world = self.world(seed)
                weeks = _Weeks(world, self.worth, partial(on_hours, contender.name))
                counts = contender.play(world, seed, weeks.pass_hours)
                value = IncrementalValue.of(world, twin)
                results.append(
                    Result(
                        contender=contender.name,
                        seed=seed,
                        by_shopper=weeks.by_shopper() - without.by_shopper(),
                        realised=float(value.realised.mean()),
                        reach=float(world.consent.sum() / max(1, world.population.consent.sum())),
                        counts=counts,
                    )
                )
        return results


def values_of(world: World, worth: ConsentWorth) -> FloatArray:
    """Return the expected margin of each shopper minus the worth of her lost consents so far, (N,)."""
    worths = np.array([worth.get(name, 0.0) for name in world.messages.channels.names])
    return np.asarray(world.margins.expected - world.consent_losses.expected @ worths)


class _Weeks:
    """The values of a world's shoppers at the end of each week."""

    def __init__(self, world: World, worth: ConsentWorth, report_hours: ReportHours) -> None:
        self._world = world
        self._worth = worth
        self._report_hours = report_hours
        self._values = [values_of(world, worth)]

    def pass_hours(self, hours: int) -> None:
        """Note the values if a week has ended."""
        if self._world.hour % 168 == 0:
            self._values.append(values_of(self._world, self._worth))
        self._report_hours(hours)

    def pass_tick(self, tick: Tick) -> None:
        self.pass_hours(1)

    def by_shopper(self) -> FloatArray:
        """Return the value of each shopper in each week, (weeks, N)."""
        return np.asarray(np.diff(np.stack(self._values), axis=0))


def last_third(weeks: int) -> int:
    """Return the first week of the last third of a run, counted from 0: the last third has at least one week.

    >>> last_third(12), last_third(4), last_third(1)
    (8, 3, 0)
    """
    return weeks - max(1, weeks // 3)


def describe_last_third(weeks: int) -> str:
    """Return the weeks of the last third in words, counted from 1.

    >>> describe_last_third(12), describe_last_third(4)
    ('weeks 9 to 12', 'week 4')
    """
    first = last_third(weeks) + 1
    return f"week {weeks}" if first == weeks else f"weeks {first} to {weeks}"
