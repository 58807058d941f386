"""The result of a contender with a seed: its value by shopper and week, its sends and their outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.arrays import FloatArray
from simulators.experiments.counts import Counts


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
