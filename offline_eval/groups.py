"""Groups: the rows split by their labels, each with an estimate of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import nan, sqrt
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from offline_eval.batch import FloatArray, LoggedBatch
from offline_eval.diagnostics.verdict import (
    DOUBTFUL_Z,
    ENOUGH_UNITS,
    TOO_FEW_ROWS,
    WRONG_Z,
    Finding,
    Level,
    standard_errors,
)
from offline_eval.errors import NotAvailable
from offline_eval.estimators.snipw import SNIPW
from offline_eval.intervals.normal import Normal
from offline_eval.reports.report import Group
from offline_eval.totals import Keep, Sample, Totals

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
        self._sums: dict[Any, FloatArray] = {}  # rows, Σw, Σw², Σw³

    def add(self, rows: LoggedBatch) -> None:
        """Add a block of rows."""
        for label in np.unique(rows.labels[self._name]).tolist():
            own = rows.where(rows.labels[self._name] == label)
            self._totals.setdefault(label, Totals([SNIPW()], self._keep)).add(own)
            squares = own.weight * own.weight
            self._add_sums(label, np.array([len(own), own.weight.sum(), squares.sum(), squares @ own.weight]))

    def _add_sums(self, label: Any, sums: FloatArray) -> None:
        self._sums[label] = self._sums.get(label, np.zeros(4)) + sums
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
        whole = sum(self._sums.values(), np.zeros(4))
        return [self._group(label, whole, alpha) for label in sorted(self._sums, key=str)]

    def _group(self, label: Any, whole: FloatArray, alpha: float) -> Group:
        rows, weight, squares, _ = self._sums[label].tolist()
        sample = self._totals[label].sample()
        error = sqrt(sample.variance({"weight": 1.0}))
        value, low, high = nan, nan, nan
        if weight > 0:
            value = SNIPW().value(sample.means)
            ((low, high),) = Normal().bounds([SNIPW()], sample, alpha)
        return Group(
            label=str(label),
            rows=int(rows),
            share_logged=rows / float(whole[0]),
            share_target=weight / float(whole[1]) if whole[1] > 0 else 0.0,
            effective_sample_size=weight * weight / squares if squares > 0 else 0.0,
            units=int(rows) if sample.units is None else len(sample.units.sizes),
            mean_weight=weight / rows,
            mean_weight_error=error,
            mean_weight_z=_unskewed(standard_errors(weight / rows - 1, error), self._skew(label, sample)),
            value=value,
            low=low,
            high=high,
        )

    def _skew(self, label: Any, sample: Sample) -> float:
        """Give the skewness of the mean weight."""
        if sample.units is None:
            rows, weight, squares, cubes = self._sums[label].tolist()
            mean = weight / rows
            square, cube = squares - rows * mean * mean, cubes - 3 * mean * squares + 2 * rows * mean * mean * mean
        else:
            apart = sample.deviations({"weight": 1.0})
            square, cube = float(apart @ apart), float(apart @ (apart * apart))
        return cube / (square * sqrt(square)) if square > 1e-12 * sample.rows else 0.0


def _unskewed(z: float, skew: float) -> float:
    """Take from a studentised mean what skew does to it: without, means of heavy weights look too low too often.

    Johnson (1978), Modified t Tests and Confidence Intervals for Asymmetrical Populations.
    """
    return z + skew / 6 + skew * z * z / 3 if skew else z


def findings(groups: Mapping[str, Sequence[Group]], known_before: Collection[str]) -> list[Finding]:
    """Flag labels with a group whose mean weight is not 1, though chance alone had no part in who is in it.

    Groups too small for a standard error to be believed are not judged. The more groups, the further off one must
    be (Bonferroni).

    Parameters
    ----------
    known_before
        Labels that were known before the draw.
    """
    judged = {name: [each for each in own if _is_enough(each)] for name, own in groups.items() if name in known_before}
    count = sum(map(len, judged.values()))
    return [
        _finding(name, own, count)
        for name, groups_of in judged.items()
        if (own := [each for each in groups_of if abs(each.mean_weight_z) > _bound(DOUBTFUL_Z, count)])
    ]


def _is_enough(group: Group) -> bool:
    return group.effective_sample_size >= TOO_FEW_ROWS and group.units >= ENOUGH_UNITS


def _bound(z: float, count: int) -> float:
    return float(-ndtri(ndtr(-z) / count))


def _finding(name: str, found: Sequence[Group], count: int) -> Finding:
    worst = max(found, key=lambda each: abs(each.mean_weight_z))
    level = Level.do_not_use if abs(worst.mean_weight_z) > _bound(WRONG_Z, count) else Level.caution
    others = f" ({len(found)} such groups)" if len(found) > 1 else ""
    text = (
        f"where {name} is {worst.label or '(none)'} the mean weight is {worst.mean_weight:.3f}, "
        f"{abs(worst.mean_weight_z):.1f} standard errors from 1{others}: propensities are wrong there, or rare joint "
        "actions have no support"
    )
    return Finding(level, "group_mean_weight", text)
