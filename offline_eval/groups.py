"""Groups: the rows split by a label, with an estimate for each value of the label."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from offline_eval.batch import LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.diagnostics.mean_weight import mean_weight_z, powers_of
from offline_eval.diagnostics.verdict import (
    DOUBTFUL_Z,
    ENOUGH_UNITS,
    TOO_FEW_ROWS,
    WRONG_Z,
    Finding,
    Level,
)
from offline_eval.errors import NotAvailable
from offline_eval.estimators.snipw import SNIPW
from offline_eval.intervals.normal import Normal
from offline_eval.reports.report import Group
from offline_eval.totals import Keep, Totals

_MOST = 1_000
"""With more groups a report is no summary any more, and each group costs memory."""


class Groups:
    """Totals by the values of one label; two can be added.

    Parameters
    ----------
    name
        The label's name.
    keep
        See `Totals`.
    """

    def __init__(self, name: str, keep: Keep) -> None:
        self._name = name
        self._keep = keep
        self._totals: dict[Any, Totals] = {}
        self._powers: dict[Any, FloatArray] = {}

    def add(self, batch: LoggedBatch) -> None:
        """Add a batch."""
        for label in np.unique(batch.labels[self._name]).tolist():
            part = batch.where(batch.labels[self._name] == label)
            self._totals.setdefault(label, Totals([SNIPW()], self._keep)).add(part)
            self._add_powers(label, powers_of(part.weight))

    def _add_powers(self, label: Any, powers: FloatArray) -> None:
        self._powers[label] = self._powers.get(label, np.zeros(4)) + powers
        if len(self._powers) > _MOST:
            raise NotAvailable(f"{self._name} has more than {_MOST} values: group by something coarser")

    def __add__(self, other: Groups) -> Groups:
        merged = Groups(self._name, self._keep)
        for part in (self, other):
            for label, totals in part._totals.items():
                merged._totals[label] = merged._totals[label] + totals if label in merged._totals else totals
                merged._add_powers(label, part._powers[label])
        return merged

    def groups(self, alpha: float) -> list[Group]:
        """Return the groups in the order of their labels."""
        whole = sum(self._powers.values(), np.zeros(4))
        return [self._group(label, whole, alpha) for label in sorted(self._powers, key=str)]

    def _group(self, label: Any, whole: FloatArray, alpha: float) -> Group:
        rows, weight, squares, _ = self._powers[label].tolist()
        sample = self._totals[label].sample()
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
            mean_weight_error=sample.error({"weight": 1.0}),
            mean_weight_z=mean_weight_z(self._powers[label], sample, "weight"),
            value=value,
            low=low,
            high=high,
        )


def find_bad_groups(groups: Mapping[str, Sequence[Group]], known_before: Collection[str]) -> list[Finding]:
    """Return a finding for each label of ``known_before`` that has a group with a mean weight other than 1.

    Groups too small for a believable standard error are not judged. The more groups there are, the further from 1 one
    of them must be (Bonferroni).

    Parameters
    ----------
    known_before
        Labels that are known before the draw.
    """
    judged = {
        name: [group for group in members if _is_large_enough(group)]
        for name, members in groups.items()
        if name in known_before
    }
    count = sum(map(len, judged.values()))
    findings = []
    for name, members in judged.items():
        bad = [group for group in members if abs(group.mean_weight_z) > _bound(DOUBTFUL_Z, count)]
        if bad:
            findings.append(_finding(name, bad, count))
    return findings


def _is_large_enough(group: Group) -> bool:
    return group.effective_sample_size >= TOO_FEW_ROWS and group.units >= ENOUGH_UNITS


def _bound(z: float, count: int) -> float:
    return float(-ndtri(ndtr(-z) / count))


def _finding(name: str, bad: Sequence[Group], count: int) -> Finding:
    worst = max(bad, key=lambda group: abs(group.mean_weight_z))
    level = Level.do_not_use if abs(worst.mean_weight_z) > _bound(WRONG_Z, count) else Level.caution
    others = f" ({len(bad)} such groups)" if len(bad) > 1 else ""
    text = (
        f"where {name} is {worst.label or '(none)'} the mean weight is {worst.mean_weight:.3f}, "
        f"{abs(worst.mean_weight_z):.1f} standard errors from 1{others}: propensities are wrong there, or rare joint "
        "actions have no support"
    )
    return Finding(level, "group_mean_weight", text)
