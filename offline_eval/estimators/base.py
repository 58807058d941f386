"""What an estimator is: a smooth function of the means of a few terms per row.

Everything else follows from this definition. Sums of terms merge, so the value does not depend on how a log is cut or
sharded. The gradient gives the linearised variance for any clustering of the rows. Terms that several estimators use
are summed once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, nan
from typing import ClassVar

import numpy as np

from offline_eval.batch import MODEL, Extremes, LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.errors import NotAvailable

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
    max_weight: float = inf

    def __post_init__(self) -> None:
        if not self.reward_low <= self.reward_high:
            raise NotAvailable(f"the range of rewards must rise, not go from {self.reward_low} to {self.reward_high}")
        if not self.max_weight > 0:
            raise NotAvailable(f"the largest possible weight must be positive, not {self.max_weight}")

    @property
    def spread(self) -> float:
        """Width of the range of rewards."""
        return self.reward_high - self.reward_low

    def check(self, extremes: Extremes, *, with_model: bool) -> None:
        """Refuse data outside the limits, because finite-sample intervals are computed from the limits.

        Raises
        ------
        NotAvailable
            With the numbers.
        """
        slack = _ROUNDING * max(1.0, self.spread)
        low, high = self.reward_low - slack, self.reward_high + slack
        outside = f"outside [{self.reward_low:g}, {self.reward_high:g}]"
        if extremes.least_reward < low or extremes.reward > high:
            span = f"they reach from {extremes.least_reward:g} to {extremes.reward:g}"
            raise NotAvailable(f"a reward lies {outside}: {span}")
        if extremes.weight > self.max_weight * (1 + _ROUNDING):
            raise NotAvailable(
                f"a weight of {extremes.weight:g} is above {self.max_weight:g}, given as the largest possible"
            )
        if with_model and (extremes.least_prediction < low or extremes.prediction > high):
            span = f"they reach from {extremes.least_prediction:g} to {extremes.prediction:g}"
            raise NotAvailable(f"a prediction of the reward model lies {outside}: {span}")


@dataclass(frozen=True)
class Parameter:
    """A number that an estimator takes; `offline_eval.make_estimators` and the command line offer it.

    Several estimators may share one parameter: their names are then collected in the help text.

    Parameters
    ----------
    name
        Its name in `offline_eval.make_estimators`.
    default
        Its value where none is asked for.
    help
        What the estimator does with it, as the command line's help says it.
    argument
        The argument of the estimator's class, where its name is another.
    option
        The option of the command line without dashes, where its name is another.
    """

    name: str
    default: float
    help: str
    argument: str = ""
    option: str = ""

    @property
    def argument_name(self) -> str:
        return self.argument or self.name

    @property
    def option_name(self) -> str:
        return self.option or self.name


class Estimator(ABC):
    """Estimates a target policy's value, in reward per decision.

    A subclass names its terms. Where two estimators use the same name for a term, the terms must be equal.
    """

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    """What a caller may choose."""
    model_columns: ClassVar[tuple[str, ...]] = MODEL
    """The reward model's columns on which the value depends."""
    max_weight: float = inf
    """Greater weights are clipped to this value."""

    @property
    def needs_model(self) -> bool:
        """Whether the value depends on a reward model."""
        return bool(self.model_columns)

    def trusts_model(self, largest_weight: float) -> bool:
        """Return whether a wrong reward model makes the value wrong, however long the log is.

        ``largest_weight`` is the largest weight in the log: some estimators trust the model from some weight on.
        """
        return False

    def check(self, batch: LoggedBatch) -> None:
        """Refuse rows without the reward model's columns, where the estimator would trust the zeros in their place.

        Raises
        ------
        NotAvailable
            Naming the estimator and the columns.
        """
        absent = [name for name in self.model_columns if name in batch.absent]
        if absent and self.trusts_model(inf):
            raise NotAvailable(
                f"{self.name} needs a reward model, and the rows have no {' and no '.join(absent)}: "
                "give its predictions, or ask for estimators without a model, such as ipw and snipw"
            )

    @property
    def has_sequence(self) -> bool:
        """Whether a confidence sequence exists for this estimator."""
        return False

    @abstractmethod
    def terms(self, batch: LoggedBatch) -> dict[str, FloatArray]:
        """Return the terms of each row by name, each of shape (n,)."""

    @abstractmethod
    def value(self, means: Means) -> float:
        """Return the value from the means of the terms."""

    @abstractmethod
    def gradient(self, means: Means) -> dict[str, float]:
        """Return the derivative of the value by each mean."""

    def score_weights(self, means: Means) -> dict[str, float]:
        """Return the factors by which a row's terms add up to the row's score.

        A normaliser is held fixed at its mean in ``means``. The mean of all scores is the value.
        """
        return self.gradient(means)

    def score_range(self, limits: Limits) -> tuple[float, float]:
        """Return the least and the greatest score that a row can have.

        Raises
        ------
        NotAvailable
            When scores have no bound, or depend on each other (self-normalised estimators).
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
        """The name of the term."""

    def value(self, means: Means) -> float:
        return means[self.term]

    def gradient(self, means: Means) -> dict[str, float]:
        return {self.term: 1.0}


class ModelPlusCorrection(Estimator):
    """An estimator that adds two means: the reward model's value, and the weighted residuals of the model."""

    @property
    @abstractmethod
    def correction_name(self) -> str:
        """The name of the term that holds the weighted residuals: the correction of the model."""

    @abstractmethod
    def residuals(self, batch: LoggedBatch) -> FloatArray:
        """Return the weighted residual of each row (n,)."""

    @property
    @abstractmethod
    def largest_residual_weight(self) -> float:
        """The greatest weight (clipped or shrunk) by which a residual can be multiplied."""

    def terms(self, batch: LoggedBatch) -> dict[str, FloatArray]:
        return {"model": batch.v_target, self.correction_name: self.residuals(batch)}

    def value(self, means: Means) -> float:
        return means["model"] + means[self.correction_name]

    def gradient(self, means: Means) -> dict[str, float]:
        return {"model": 1.0, self.correction_name: 1.0}

    def score_range(self, limits: Limits) -> tuple[float, float]:
        """Return the range of v̂ + c·(r - q̂).

        The weight c lies between 0 and `largest_residual_weight`, v̂ and q̂ within the range of the rewards r.
        """
        slack = min(self.largest_residual_weight, limits.max_weight) * limits.spread if limits.spread else 0.0
        return check_bounded(limits.reward_low - slack, limits.reward_high + slack, self.name)


CLIP = Parameter("clip", inf, "Weights are clipped to this value", argument="max_weight")
"""The parameter of estimators that clip weights."""


def check_clip(max_weight: float) -> float:
    """Return the weight to clip at.

    Raises
    ------
    NotAvailable
        When it is not positive.
    """
    if not max_weight > 0:
        raise NotAvailable(f"weights can be clipped to a positive number only, not {max_weight}")
    return max_weight


def ratio(above: float, below: float) -> float:
    """Return the quotient; NaN where the denominator is 0, because no row has weight."""
    return above / below if below else nan


def check_bounded(low: float, high: float, name: str) -> tuple[float, float]:
    """Return a range of scores.

    Raises
    ------
    NotAvailable
        When the range is not finite.
    """
    if not np.isfinite([low, high]).all():
        raise NotAvailable(
            f"{name}: scores are bounded only when the largest possible weight is given "
            "(1 ÷ the smallest propensity that the logging policy can give)"
        )
    return low, high
