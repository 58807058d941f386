"""Overlap: how much of what a policy would do is in the log; the quality of every estimate depends on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offline_eval.batch import LoggedBatch
from offline_eval.diagnostics.mean_weight import mean_weight_z, powers_of
from offline_eval.diagnostics.skewness import Skewness
from offline_eval.diagnostics.weights import Weights, WeightSummary
from offline_eval.totals import Sample
from offline_eval.units import Units


@dataclass(frozen=True)
class Overlap:
    """How well a log covers one policy.

    ``mean_weight_error`` is the standard error of the mean weight, clustered as the intervals are, and
    ``mean_weight_z`` the distance of the mean weight from 1 in standard errors, corrected for skewness.
    ``effective_units`` is (ΣW)²/ΣW² with W the weight of an independent unit, and ``largest_unit`` the greatest
    share of all weight in one unit: a shopper with thousands of rows is one unit. ``units_skewness`` is the skewness
    expected for the units, from their weights and their mean rewards. ``unsupported`` is the probability that the
    policy gives to what the logging policy never draws, ``clipped`` the share of weight that clipping removes.
    """

    weights: WeightSummary
    mean_weight_error: float
    mean_weight_z: float
    effective_units: float
    largest_unit: float
    units_skewness: float
    unsupported: float
    clipped: float


class OverlapSums:
    """Sums up the overlap of one policy, batch by batch.

    Parameters
    ----------
    max_weight
        The weight that estimators clip at.
    """

    def __init__(self, max_weight: float) -> None:
        self._max_weight = max_weight
        self._weights = Weights()
        self._powers = np.zeros(4)
        self._unsupported = self._clipped = 0.0

    def add(self, batch: LoggedBatch) -> None:
        self._weights.add(batch.weight, batch.reward)
        self._powers += powers_of(batch.weight)
        if batch.unsupported is not None:
            self._unsupported += float(batch.unsupported.sum())
        if np.isfinite(self._max_weight):
            self._clipped += float(np.maximum(batch.weight - self._max_weight, 0).sum())

    def overlap(self, sample: Sample, term: str) -> Overlap:
        """Return the overlap; ``term`` is the name of this policy's weight among the sample's terms."""
        weights = self._weights.summary()
        if sample.units is None:
            effective, largest, skewness = weights.effective_sample_size, weights.largest_share, weights.skewness
        else:
            effective, largest, skewness = _summarise_units(sample.units, sample.names, term)
        return Overlap(
            weights=weights,
            mean_weight_error=sample.error({term: 1.0}),
            mean_weight_z=mean_weight_z(self._powers, sample, term),
            effective_units=effective,
            largest_unit=largest,
            units_skewness=skewness,
            unsupported=self._unsupported / weights.rows,
            clipped=self._clipped / (weights.mean * weights.rows) if weights.mean > 0 else 0.0,
        )


def _summarise_units(units: Units, names: tuple[str, ...], term: str) -> tuple[float, float, float]:
    """Return the effective number of units, the share of the largest unit, and the expected skewness."""
    weight, reward = units.totals[names.index(term)], units.totals[names.index("reward")]
    total, squares = float(weight.sum()), float(weight @ weight)
    if squares <= 0:
        return 0.0, 0.0, 0.0
    skewness = Skewness()
    skewness.add(weight, reward / units.sizes)
    return total * total / squares, float(weight.max()) / total, skewness.value()
