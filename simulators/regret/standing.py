"""The standing of a contender: its value beside those of the rule and the planner, over seeds or worlds.

A *unit* is what is drawn anew each time: a seed of one scenario, or a world of the family. The intervals are 95 % ones
by Student's t over the units; with one unit nothing tells them, and they are infinite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from simulators.arrays import FloatArray
from simulators.experiments.mean_estimate import MeanEstimate, t_quantile
from simulators.experiments.result import last_third
from simulators.regret.finished_run import FinishedRun


@dataclass(frozen=True)
class Score:
    """What a contender did in some weeks of a unit.

    Attributes
    ----------
    value, realised
        Per shopper, more than without sends.
    sends, withdrawals, withdrawals_realised
        Delivered sends, the opt-outs and complaints that are expected, and those that came.
    sends_per_week
        Delivered sends per shopper and week.
    reach
        At the end of the run.
    """

    value: float
    realised: float
    sends: float
    withdrawals: float
    withdrawals_realised: float
    sends_per_week: float
    reach: float

    @classmethod
    def of(cls, run: FinishedRun, without: FinishedRun, first_week: int = 0) -> Score:
        """Return the score of a run from a week on; ``without`` is the run without sends."""
        return cls(
            value=sum(run.values[first_week:]) - sum(without.values[first_week:]),
            realised=sum(run.realised[first_week:]) - sum(without.realised[first_week:]),
            sends=sum(run.sends[first_week:]),
            withdrawals=sum(run.withdrawals[first_week:]),
            withdrawals_realised=sum(run.withdrawals_realised[first_week:]),
            sends_per_week=sum(run.sends[first_week:]) / run.shoppers / (len(run.sends) - first_week),
            reach=run.reach,
        )

    @classmethod
    def of_last_third(cls, run: FinishedRun, without: FinishedRun) -> Score:
        return cls.of(run, without, last_third(len(run.values)))


def average(scores: Sequence[Score]) -> Score:
    """Return the mean score of several seeds: with it a world is one unit."""
    rows = np.array([list(vars(score).values()) for score in scores])
    return Score(*rows.mean(axis=0).tolist())


@dataclass(frozen=True)
class Standing:
    """The scores of a contender, of the rule and of the planner in the same units."""

    scores: Sequence[Score]
    rule: Sequence[Score]
    planner: Sequence[Score]

    @property
    def values(self) -> FloatArray:
        return _values(self.scores)

    @property
    def rule_values(self) -> FloatArray:
        return _values(self.rule)

    @property
    def planner_values(self) -> FloatArray:
        return _values(self.planner)

    @property
    def shares(self) -> FloatArray:
        """The value as a share of the planner's, of the units in which the planner earns something."""
        return self._scale(self.values)

    @property
    def gains(self) -> FloatArray:
        """Value minus the rule's as a share of the planner's, of the units in which the planner earns something."""
        return self._scale(self.values - self.rule_values)

    @property
    def value(self) -> MeanEstimate:
        """Value per shopper."""
        return estimate_mean(self.values)

    @property
    def realised_value(self) -> MeanEstimate:
        """Margin of the orders that came minus costs, per shopper."""
        return estimate_mean(self._column("realised"))

    @property
    def share_of_planner(self) -> MeanEstimate | None:
        """Sum of values ÷ sum of the planner's."""
        return estimate_ratio([self.values], [self.planner_values])

    @property
    def ratio_to_rule(self) -> MeanEstimate | None:
        """Sum of values ÷ sum of the rule's."""
        return estimate_ratio([self.values], [self.rule_values])

    @property
    def optouts_per_1k_sends(self) -> MeanEstimate | None:
        """Opt-outs and complaints, by their true probabilities, per 1,000 sends."""
        return estimate_ratio([1_000.0 * self._column("withdrawals")], [self._column("sends")])

    @property
    def realised_optouts_per_1k_sends(self) -> MeanEstimate | None:
        """Opt-outs and complaints that came per 1,000 sends."""
        return estimate_ratio([1_000.0 * self._column("withdrawals_realised")], [self._column("sends")])

    @property
    def optouts_ratio_to_rule(self) -> MeanEstimate | None:
        """Expected opt-outs and complaints per send ÷ those of the rule."""
        of_rule = _column(self.rule, "withdrawals"), _column(self.rule, "sends")
        return estimate_ratio([self._column("withdrawals"), of_rule[1]], [self._column("sends"), of_rule[0]])

    @property
    def sends_per_week(self) -> MeanEstimate:
        """Delivered sends per shopper and week."""
        return estimate_mean(self._column("sends_per_week"))

    @property
    def reach_left(self) -> MeanEstimate:
        return estimate_mean(self._column("reach"))

    def _column(self, name: str) -> FloatArray:
        return _column(self.scores, name)

    def _scale(self, values: FloatArray) -> FloatArray:
        earns = self.planner_values > 0.0
        return np.asarray(values[earns] / self.planner_values[earns])


def _values(scores: Sequence[Score]) -> FloatArray:
    return _column(scores, "value")


def _column(scores: Sequence[Score], name: str) -> FloatArray:
    return np.array([getattr(score, name) for score in scores], dtype=np.float64)


def estimate_mean(values: FloatArray) -> MeanEstimate:
    """Estimate a mean over units.

    >>> estimate_mean(np.array([1.0])), round(estimate_mean(np.array([1.0, 2.0, 3.0])).low, 2)
    (MeanEstimate(value=1.0, low=-inf, high=inf), -0.48)
    """
    value = float(values.mean())
    half_width = _half_width(values)
    return MeanEstimate(value, value - half_width, value + half_width)


def estimate_ratio(above: Sequence[FloatArray], below: Sequence[FloatArray]) -> MeanEstimate | None:
    """Estimate the product of some sums over units ÷ the product of as many other sums, by linearisation.

    All columns are of the same units, so what they have in common cancels. Returns None where a sum below is not
    above 0.

    >>> ratio = estimate_ratio([np.array([2.0, 4.1, 4.0])], [np.array([1.0, 2.0, 2.0])])
    >>> ratio is not None and (round(ratio.value, 2), round(ratio.low, 2), round(ratio.high, 2))
    (2.02, 1.94, 2.1)
    """
    means = [float(column.mean()) for column in below]
    if min(means) <= 0.0:
        return None
    scale = float(np.prod(means))
    value = float(np.prod([column.mean() for column in above])) / scale
    # What each unit adds to the ratio: the change of each sum by this unit, with all other sums as they are.
    others = [np.prod([column.mean() for column in [*above[:n], *above[n + 1 :]]]) for n in range(len(above))]
    gained = sum(column * other / scale for column, other in zip(above, others, strict=True))
    paid = sum(value * column / mean for column, mean in zip(below, means, strict=True))
    half_width = _half_width(np.asarray(gained - paid))
    return MeanEstimate(value, value - half_width, value + half_width)


def _half_width(values: FloatArray) -> float:
    """Return half the width of the interval of a mean."""
    degrees = len(values) - 1
    if degrees < 1:
        return inf
    return t_quantile(degrees) * float(values.std(ddof=1)) / sqrt(len(values))
