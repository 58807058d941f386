"""What an interval is: a way from an estimator and a sample to two bounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator, Limits
from offline_eval.totals import Keep, Sample


class Bounds(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


class Interval(ABC):
    """Computes bounds that hold the target's value with a probability of 1 - ``alpha``."""

    name: ClassVar[str]
    keeps_units: ClassVar[bool] = False
    """Whether the interval needs the totals of every unit even where rows are independent."""

    @classmethod
    def make(cls, limits: Limits, draws: int, seed: int | None) -> Self:
        """Make the interval from what a question says; a subclass takes the arguments that it uses.

        Raises
        ------
        NotAvailable
            When the interval does not exist for these limits, or with so few draws.
        """
        del limits, draws, seed
        return cls()

    def keep(self, *, clustered: bool) -> Keep:
        """Return what `Totals` must keep."""
        if clustered:
            return "shoppers"
        return "rows" if self.keeps_units else "moments"

    def check(self, estimators: Sequence[Estimator]) -> None:
        """Refuse estimators that this interval does not exist for; asymptotic intervals exist for all.

        Raises
        ------
        NotAvailable
            With the estimator and the reason.
        """
        del estimators

    @abstractmethod
    def bounds(self, estimators: Sequence[Estimator], sample: Sample, alpha: float) -> list[Bounds]:
        """Return the bounds for every estimator.

        Raises
        ------
        NotAvailable
            When this interval does not exist for an estimator, or rows lie outside the limits that were given.
        """


def check_alpha(alpha: float) -> float:
    """Return an error probability.

    Raises
    ------
    NotAvailable
        When it is not between 0 and 1.
    """
    if not 0.0 < alpha < 1.0:
        raise NotAvailable(f"alpha must lie between 0 and 1, not {alpha}")
    return alpha
