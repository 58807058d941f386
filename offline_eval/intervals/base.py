"""What an interval is: from an estimator and what was summed up to two bounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator
from offline_eval.totals import Keep, Sample


class Bounds(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


class Interval(ABC):
    """Gives bounds that hold the target's value with a probability of 1 - ``alpha``."""

    name: ClassVar[str]
    keeps_units: ClassVar[bool] = False
    """Whether it needs the totals of every unit even where rows are independent."""

    def keep(self, *, clustered: bool) -> Keep:
        """Tell what `Totals` must keep."""
        if clustered:
            return "shoppers"
        return "rows" if self.keeps_units else "moments"

    def check(self, estimators: Sequence[Estimator]) -> None:
        """Refuse estimators that this interval does not exist for; asymptotic ones exist for all.

        Raises
        ------
        NotAvailable
            Saying which, and why.
        """
        del estimators

    @abstractmethod
    def bounds(self, estimators: Sequence[Estimator], sample: Sample, alpha: float) -> list[Bounds]:
        """Give the bounds for every estimator.

        Raises
        ------
        NotAvailable
            When this interval does not exist for an estimator, or the rows break what was promised of them.
        """


def check_alpha(alpha: float) -> float:
    """Refuse what is no error probability.

    Raises
    ------
    NotAvailable
        Outside (0, 1).
    """
    if not 0.0 < alpha < 1.0:
        raise NotAvailable(f"alpha must lie between 0 and 1, not {alpha}")
    return alpha
