"""The standings of all contenders of a comparison, from its finished runs: by scenario, and over the family."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulators.arrays import FloatArray
from simulators.regret.finished_run import FinishedRun
from simulators.regret.standing import Score, Standing, average

RunsByContender = Mapping[str, Sequence[FinishedRun]]
"""Contender → its runs, one for each seed, in the same order for all contenders."""

ScoreRun = Callable[[FinishedRun, FinishedRun], Score]
"""Takes a run and the run without sends, and returns the score: of the last third, or of all weeks."""


@dataclass(frozen=True)
class Standings:
    """The runs of all contenders in each scenario, and who the references among the contenders are.

    Attributes
    ----------
    runs
        Scenario → runs of all contenders.
    is_family
        Whether the scenarios are worlds of the family, two or more.
    """

    runs: Mapping[str, RunsByContender]
    is_family: bool
    rule: str
    planner: str
    no_send: str

    @property
    def contenders(self) -> list[str]:
        """All contenders but the one that sends nothing."""
        first = next(iter(self.runs.values()))
        return [name for name in first if name != self.no_send]

    def of_scenario(self, scenario: str, contender: str, score: ScoreRun) -> Standing:
        """Return the standing of a contender in one scenario: each seed is a unit."""
        columns = (self._scores(scenario, name, score) for name in (contender, self.rule, self.planner))
        return Standing(*columns)

    def of_family(self, contender: str, score: ScoreRun) -> Standing:
        """Return the standing of a contender over all scenarios: each scenario is a unit."""
        columns = (
            [average(self._scores(scenario, name, score)) for scenario in self.runs]
            for name in (contender, self.rule, self.planner)
        )
        return Standing(*columns)

    def runs_of(self, contender: str) -> Iterator[FinishedRun]:
        """Yield the runs of a contender in all scenarios."""
        for by_contender in self.runs.values():
            yield from by_contender[contender]

    def weekly_value(self, contender: str) -> FloatArray:
        """Return the value per shopper in each week, the mean over scenarios and seeds, (weeks,)."""
        runs, without = self.runs_of(contender), self.runs_of(self.no_send)
        weekly = [np.array(run.values) - other.values for run, other in zip(runs, without, strict=True)]
        return np.asarray(np.mean(weekly, axis=0))

    def _scores(self, scenario: str, contender: str, score: ScoreRun) -> list[Score]:
        runs = self.runs[scenario]
        return [score(run, without) for run, without in zip(runs[contender], runs[self.no_send], strict=True)]
