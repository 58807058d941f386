"""Groups: the rows split by their labels, each with an estimate of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from offline_eval.errors import NotAvailable
from offline_eval.estimators.snipw import SNIPW
from offline_eval.intervals.normal import Normal
from offline_eval.report import Group
from offline_eval.rows import FloatArray, Rows
from offline_eval.totals import Keep, Totals

_MOST = 1_000
"""More groups than that are no summary; each costs memory of its own."""


class Groups:
    """Totals by the values of one label; mergeable.

    Parameters
    ----------
    name
        The label's name.
    keep
        As `Totals`.
    """

    def __init__(self, name: str, keep: Keep) -> None:
        self._name = name
        self._keep = keep
        self._totals: dict[Any, Totals] = {}
        self._sums: dict[Any, FloatArray] = {}  # rows, Σw, Σw²

    def add(self, rows: Rows) -> None:
        """Add a block of rows."""
        for label in np.unique(rows.labels[self._name]).tolist():
            own = rows.where(rows.labels[self._name] == label)
            self._totals.setdefault(label, Totals([SNIPW()], self._keep)).add(own)
            self._add_sums(label, np.array([len(own), own.weight.sum(), own.weight @ own.weight]))

    def _add_sums(self, label: Any, sums: FloatArray) -> None:
        self._sums[label] = self._sums.get(label, np.zeros(3)) + sums
        if len(self._sums) > _MOST:
            raise NotAvailable(f"{self._name} has more than {_MOST} values: group by something coarser")

    def __add__(self, other: Groups) -> Groups:
        """Merge."""
        merged = Groups(self._name, self._keep)
        for part in (self, other):
            for label, totals in part._totals.items():
                merged._totals[label] = merged._totals[label] + totals if label in merged._totals else totals
                merged._add_sums(label, part._sums[label])
        return merged

    def groups(self, alpha: float) -> list[Group]:
        """Give the groups in the order of their labels."""
        whole = sum(self._sums.values(), np.zeros(3))
        return [self._group(label, whole, alpha) for label in sorted(self._sums, key=str)]

    def _group(self, label: Any, whole: FloatArray, alpha: float) -> Group:
        rows, weight, squares = self._sums[label].tolist()
        value, low, high = float("nan"), float("nan"), float("nan")
        if weight > 0:
            sample = self._totals[label].sample()
            value = SNIPW().value(sample.means)
            ((low, high),) = Normal().bounds([SNIPW()], sample, alpha)
        return Group(
            label=str(label),
            rows=int(rows),
            share_logged=rows / float(whole[0]),
            share_target=weight / float(whole[1]) if whole[1] > 0 else 0.0,
            effective_sample_size=weight * weight / squares if squares > 0 else 0.0,
            value=value,
            low=low,
            high=high,
        )
