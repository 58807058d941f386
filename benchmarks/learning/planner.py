"""What the baselines and the planner earn in scenarios and worlds: no baseline may be significantly above the planner.

The differences are paired over the shoppers of all runs. Holm's procedure keeps the probability of any false finding in
the whole table below 5 %. The same runs give the sweep of e-mails a week.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.page import with_interval
from decision_service.catalogues.file import example
from decision_service.cli.measurements import Measured
from decision_service.cli.own_policy import make_source
from policies.catalogue.rulebook import Rulebook
from policies.models.policy import PolicyFactory
from policies.models.registry import BASELINES
from simulators.experiments.contender import (
    NO_SEND,
    RULE,
    SENDS_A_WEEK,
    Contender,
    broadcasts,
    name_emails,
    no_send_contender,
    policy_contender,
)
from simulators.experiments.mean_estimate import MeanEstimate, estimate_paired_mean
from simulators.experiments.multiple_tests import chance_of_mean_above_0, find_significant
from simulators.experiments.study import Study
from simulators.plans.plan import Plan
from simulators.plans.planner_contender import planner_contender
from simulators.scenarios.scenario import Scenario
from simulators.shops.local import PolicySource
from simulators.shops.planner import PLANNER
from simulators.world.world import World

INTERVALS = (
    "Value per shopper: expected incremental margin minus the worth of lost consents. The intervals are 95 % ones by "
    "Student's t over the shoppers of all runs, as one sample; differences are paired by shopper. Each run has a shop "
    "that is drawn from its seed. The intervals hold for these shops with other shoppers, and not for other shops. "
    "`decision-service simulate` takes the seeds for the sample, because a policy that learns carries what it learned "
    "by chance to all shoppers of a run; with three seeds its intervals are wider."
)
Values = Mapping[str, NDArray[np.float64]]
"""Contender → value of each shopper of all runs in one scenario."""


@dataclass(frozen=True)
class Runs:
    """The runs of one scenario: so many shoppers, one run per seed; ``plan`` returns the planner's."""

    scenario: Scenario
    shoppers: int
    seeds: Sequence[int]
    plan: Callable[[], Plan]

    def values(self, keep: Path | None, progress: Callable[[str], None]) -> Values:
        """Return the values of all contenders; read the runs that ``keep`` has, and keep the others there."""
        by_seed = [self._run(seed, keep, progress) for seed in self.seeds]
        return {name: np.concatenate([values[name] for values in by_seed]) for name in by_seed[0]}

    def _run(self, seed: int, keep: Path | None, progress: Callable[[str], None]) -> Values:
        path = None if keep is None else keep / f"{self.scenario.name}-{self.scenario.weeks}-{self.shoppers}-{seed}.npz"
        if path is not None and path.exists():
            with np.load(path) as file:
                return dict(zip(file["names"].tolist(), file["values"], strict=True))
        rulebook, plan = Rulebook.of(example(), 1), self.plan()
        study = Study(self.scenario, self.shoppers, [seed], rulebook, plan.worth)
        results = study.compare(_contenders(rulebook, plan), lambda name, hours: None)
        values = {result.contender: result.values() for result in results}
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                np.savez(file, names=np.array([*values]), values=np.stack([*values.values()]))
            part.rename(path)
        progress(f"{self.scenario.name}, seed {seed}")
        return values


def _contenders(rulebook: Rulebook, plan: Plan) -> list[Contender]:
    fixed = [
        policy_contender(name, partial(_make_source, factory, rulebook), rulebook)
        for name, factory in BASELINES.items()
    ]
    planner = planner_contender(lambda: plan, rulebook)
    return [planner, no_send_contender(), *broadcasts(), *fixed]


def _make_source(factory: PolicyFactory, rulebook: Rulebook, world: World) -> PolicySource:
    return make_source(factory, rulebook)


@dataclass(frozen=True)
class Comparison:
    """A baseline minus the planner in one scenario; ``p`` is the probability of such a difference by chance."""

    scenario: str
    baseline: str
    difference: MeanEstimate
    p: float


def compare(scenario: str, values: Values) -> list[Comparison]:
    """Compare every baseline with the planner."""
    return [
        Comparison(scenario, name, estimate(of_one - values[PLANNER]), chance_of_mean_above_0(of_one - values[PLANNER]))
        for name, of_one in values.items()
        if name != PLANNER
    ]


def estimate(differences: NDArray[np.float64]) -> MeanEstimate:
    """Estimate a mean over shoppers with its 95 % interval.

    >>> estimate(np.array([1.0, 2.0, 3.0])).value
    2.0
    """
    return estimate_paired_mean([differences])


def find_above(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the baselines that are significantly above the planner, by Holm's procedure over all comparisons."""
    return [comparisons[number] for number in find_significant([one.p for one in comparisons])]


@dataclass(frozen=True)
class Sweep:
    """The best number of e-mails a week in one scenario, and how much more it earns than seven do."""

    best: int
    more_than_daily: MeanEstimate

    @classmethod
    def of(cls, values: Values) -> Sweep:
        by_count = {0: values[NO_SEND], **{count: values[name_emails(count)] for count in SENDS_A_WEEK}}
        best = max(by_count, key=lambda count: float(by_count[count].mean()))
        return cls(best, estimate(by_count[best] - by_count[7]))

    @property
    def is_inside(self) -> bool:
        """Whether the best is neither none nor seven, and significantly above seven."""
        return self.best not in (0, 7) and self.more_than_daily.low > 0.0


def to_measurements(values_of: Mapping[str, Values]) -> Iterator[Measured]:
    """Yield the counts over the table, and the values of the planner: ``planner.<scenario>.value``."""
    comparisons = [one for scenario, values in values_of.items() for one in compare(scenario, values)]
    above, sweeps = find_above(comparisons), {scenario: Sweep.of(values) for scenario, values in values_of.items()}
    yield Measured("planner.baselines_above", float(len(above)), unit=f"of {len(comparisons)}, Holm at 5 %")
    inside = sum(sweep.is_inside for sweep in sweeps.values())
    yield Measured("planner.sweeps_inside", float(inside), unit=f"of {len(sweeps)}: the best neither 0 nor 7 a week")
    for scenario, values in values_of.items():
        yield _measure(f"planner.{scenario}.value", estimate(values[PLANNER]))


def to_contender_measurements(values_of: Mapping[str, Values]) -> Iterator[Measured]:
    """Yield the value of every baseline, and the differences of every contender to the planner and to the rule.

    The names are ``planner.<scenario>.<contender>_value``, ``_minus_planner`` and ``_minus_rule``.
    """
    for scenario, values in values_of.items():
        for contender, of_one in values.items():
            key = f"planner.{scenario}.{contender.replace(' ', '_')}"
            if contender != PLANNER:
                yield _measure(f"{key}_value", estimate(of_one))
            for other in (PLANNER, RULE):
                if contender != other:
                    yield _measure(f"{key}_minus_{other}", estimate(of_one - values[other]))


def _measure(name: str, one: MeanEstimate) -> Measured:
    return Measured(name, one.value, one.low, one.high, "per shopper")


def to_tables(values_of: Mapping[str, Values]) -> str:
    """Return how the intervals are made, a table with a row per scenario, and one with a row per contender."""
    return "\n".join([INTERVALS, "", _scenario_table(values_of), _contender_table(values_of)])


def _scenario_table(values_of: Mapping[str, Values]) -> str:
    """Return Markdown: for each scenario the planner, the best baseline, and the sweep of e-mails a week."""
    rows = [
        "| scenario | planner | rule | best baseline | minus planner | best e-mails a week | more than 7 a week |",
        "|---|--:|--:|---|---|--:|---|",
    ]
    for scenario, values in values_of.items():
        best = max(compare(scenario, values), key=lambda one: one.difference.value)
        sweep = Sweep.of(values)
        cells = (
            *(scenario, f"{values[PLANNER].mean():.3f}", f"{values[RULE].mean():.3f}", best.baseline),
            *(_interval(best.difference), str(sweep.best), _interval(sweep.more_than_daily)),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, ""])


def _contender_table(values_of: Mapping[str, Values]) -> str:
    """Return Markdown: for each contender in each scenario its value, and its differences to planner and rule."""
    rows = ["| scenario | contender | value | minus planner | minus rule |", "|---|---|--:|--:|--:|"]
    for scenario, values in values_of.items():
        for contender, of_one in values.items():
            cells = [with_interval(estimate(of_one))]
            for other in (PLANNER, RULE):
                cells.append("" if contender == other else with_interval(estimate(of_one - values[other])))
            rows.append(f"| {scenario} | {contender} | {' | '.join(cells)} |")
    return "\n".join([*rows, ""])


def _interval(one: MeanEstimate) -> str:
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
