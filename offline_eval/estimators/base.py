"""What an estimator is: a smooth function of the means of a few terms per row.

Everything else follows from that. Sums of terms merge, so any chunking and any sharding give the same value;
the gradient gives the linearised variance, whatever the rows are clustered by; and the terms that estimators
share are summed once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import ClassVar

import numpy as np

from offline_eval.batch import FloatArray, LoggedBatch
from offline_eval.errors import NotAvailable
from offline_eval.extremes import Extremes

Means = Mapping[str, float]

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Limits:
    """What is known before looking at the data: the range of rewards, and the largest possible weight.

    Raises
    ------
    NotAvailable
        When the range does not rise, or the weight is not positive.
    """

    reward_low: float
    reward_high: float
    max_weight: float = np.inf

    def __post_init__(self) -> None:
        if not self.reward_low <= self.reward_high:
            raise NotAvailable(f"the range of rewards must rise, not go from {self.reward_low} to {self.reward_high}")
        if not self.max_weight > 0:
            raise NotAvailable(f"the largest possible weight must be positive, not {self.max_weight}")

    @property
    def spread(self) -> float:
        """Width of the range of rewards."""
        return self.reward_high - self.reward_low

    def check(self, found: Extremes, *, with_model: bool) -> None:
        """Refuse data that break the promise, of which finite-sample intervals are made.

        Raises
        ------
        NotAvailable
            With the numbers.
        """
        slack = _ROUNDING * max(1.0, self.spread)
        low, high = self.reward_low - slack, self.reward_high + slack
        outside = f"outside [{self.reward_low:g}, {self.reward_high:g}]"
        if found.least_reward < low or found.reward > high:
            raise NotAvailable(f"a reward lies {outside}: they reach from {found.least_reward:g} to {found.reward:g}")
        if found.weight > self.max_weight * (1 + _ROUNDING):
            raise NotAvailable(
                f"a weight of {found.weight:g} is above {self.max_weight:g}, given as the largest possible"
            )
        if with_model and (found.least_prediction < low or found.prediction > high):
            reach = f"they reach from {found.least_prediction:g} to {found.prediction:g}"
            raise NotAvailable(f"a prediction of the reward model lies {outside}: {reach}")


class Estimator(ABC):
    """Estimates a target policy's value, in reward per decision.

    A subclass names its terms; equal names of several estimators must mean equal terms.
    """

    name: ClassVar[str]
    needs_model: ClassVar[bool] = True
    """Whether it uses the reward model's columns."""

    @abstractmethod
    def terms(self, rows: LoggedBatch) -> dict[str, FloatArray]:
        """Give the terms of each row, each (n,)."""

    @abstractmethod
    def value(self, means: Means) -> float:
        """Compute the value from the means of the terms."""

    @abstractmethod
    def gradient(self, means: Means) -> dict[str, float]:
        """Differentiate the value by each mean."""

    def score_weights(self, means: Means) -> dict[str, float]:
        """Give the factors that make a row's score of its terms, normalisers held at ``means``.

        The mean score is the value.
        """
        return self.gradient(means)

    def score_range(self, limits: Limits) -> tuple[float, float]:
        """Give the least and the greatest score a row can have.

        Raises
        ------
        NotAvailable
            When scores are not bounded, or depend on each other (self-normalised estimators).
        """
        raise NotAvailable(f"{self.name} is self-normalised: its rows have no bounded scores of their own")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in vars(self).items())})"


class MeanOfOne(Estimator):
    """An estimator that is the mean of a single term."""

    @property
    @abstractmethod
    def term(self) -> str:
        """The name of its term."""

    def value(self, means: Means) -> float:
        """Give the mean."""
        return means[self.term]

    def gradient(self, means: Means) -> dict[str, float]:
        """Give 1."""
        return {self.term: 1.0}


def ratio(above: float, below: float) -> float:
    """Divide; not a number where nothing has weight."""
    return above / below if below else nan


def bounded(low: float, high: float, name: str) -> tuple[float, float]:
    """Give a range of scores if it is finite.

    Raises
    ------
    NotAvailable
        When it is not.
    """
    if not np.isfinite([low, high]).all():
        raise NotAvailable(
            f"{name}: scores are bounded only when the largest possible weight is given "
            "(1 ÷ the smallest propensity that the logging policy can give)"
        )
    return low, high


def robust_range(limits: Limits, factor: float, name: str) -> tuple[float, float]:
    """Give the range of v̂ + c·(r - q̂) with 0 ≤ c ≤ ``factor``, v̂ and q̂ within the range of rewards."""
    slack = factor * limits.spread if limits.spread else 0.0
    return bounded(limits.reward_low - slack, limits.reward_high + slack, name)
