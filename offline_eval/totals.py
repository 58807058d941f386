"""Totals: one pass over the rows, from which values and intervals are computed.

Only sums of terms and of their products are kept, so a log may be longer than memory, and shards merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from offline_eval.batch import Extremes, LoggedBatch, cut_blocks
from offline_eval.columns import FloatArray
from offline_eval.errors import NoData
from offline_eval.estimators.base import Estimator, Means
from offline_eval.rounding import root
from offline_eval.units import RowTotals, ShopperTotals, Units

Keep = Literal["sums", "moments", "shoppers", "rows"]


@dataclass(frozen=True)
class Sample:
    """The result of a pass: terms by name, their means, and how they vary.

    ``covariance`` (T, T) is the covariance of single rows. ``units`` is None where rows are independent and were not
    kept. ``extremes`` are taken over the rows of both targets.
    """

    names: tuple[str, ...]
    rows: int
    means: Means
    covariance: FloatArray
    units: Units | None = None
    extremes: Extremes = field(default_factory=Extremes)

    @property
    def independent_units(self) -> int:
        """The number of independent units: shoppers where rows are clustered, rows otherwise."""
        return self.rows if self.units is None else len(self.units.sizes)

    def direction(self, slopes: dict[str, float]) -> FloatArray:
        """Return slopes by name as a vector (T,)."""
        return np.array([slopes.get(name, 0.0) for name in self.names])

    def means_vector(self) -> FloatArray:
        """Return the means (T,)."""
        return np.array([self.means[name] for name in self.names])

    def error(self, slopes: dict[str, float]) -> float:
        """Return the standard error of the mean of a combination of terms, clustered where there are clusters."""
        return root(self.variance(slopes))

    def variance(self, slopes: dict[str, float]) -> float:
        """Return the variance of the mean of a combination of terms, clustered where there are clusters.

        With U units: U/(U - 1) · Σ (total of the unit - size of the unit · mean)² ÷ rows².
        """
        direction = self.direction(slopes)
        if self.units is None:
            # Where terms cancel each other (self-normalised weights of a constant reward), the variance is 0, and the
            # rounding of the sum can be below it. The order of the arguments keeps NaN.
            return max(float(direction @ self.covariance @ direction) / self.rows, 0.0)
        deviations = self.deviations(slopes)
        count = len(deviations)
        if count < 2:
            return float("nan")
        return float(deviations @ deviations) * count / (count - 1) / self.rows**2

    def deviations(self, slopes: dict[str, float]) -> FloatArray:
        """Return how far each unit's total of a combination lies from the mean times the unit's size (U,)."""
        if self.units is None:
            raise ValueError("units were not kept")
        direction = self.direction(slopes)
        return np.asarray(direction @ self.units.totals - self.units.sizes * (direction @ self.means_vector()))


class Totals:
    """Mergeable sums of the terms of some estimators.

    Parameters
    ----------
    estimators
        What is to be computed; terms that they share are summed once.
    keep
        ``sums``: enough for values, not for intervals; ``moments``: rows are independent and none is kept;
        ``shoppers``: totals by shopper; ``rows``: the terms of every row, in order.

    Examples
    --------
    >>> from offline_eval import DM, IPW
    >>> batch = LoggedBatch.of(reward=[1, 0], propensity=[0.5, 0.5], target_propensity=[0.8, 0.2], v_target=[0.5, 0.7])
    >>> head, tail = Totals([IPW(), DM()]), Totals([IPW(), DM()])
    >>> head.add(batch.slice(0, 1))
    >>> tail.add(batch.slice(1, 2))
    >>> {name: round(mean, 9) for name, mean in (head + tail).sample().means.items()}
    {'gain': 0.8, 'model': 0.6}
    """

    def __init__(self, estimators: Sequence[Estimator], keep: Keep = "moments") -> None:
        self._estimators = tuple(estimators)
        self._keep = keep
        self._names: tuple[str, ...] = ()
        self._rows = 0
        self._sums = np.zeros(0)
        self._products = np.zeros((0, 0))  # of deviations from the mean
        self._shopper_totals: ShopperTotals | None = None
        self._row_totals = RowTotals()
        self._extremes = Extremes()

    def add(self, batch: LoggedBatch) -> None:
        """Add a batch."""
        if not len(batch):
            return
        terms_by_name: dict[str, FloatArray] = {}
        for estimator in self._estimators:
            estimator.check(batch)
            terms_by_name.update(estimator.terms(batch))
        self._start(tuple(terms_by_name))
        if self._keep == "sums":
            sums = np.array([term.sum() for term in terms_by_name.values()])
            self._combine(len(batch), sums, np.full_like(self._products, np.nan))
            return
        self._extremes += Extremes.of(batch)
        terms = np.stack(list(terms_by_name.values()))
        self._combine(len(batch), terms.sum(axis=1), _products_of_deviations(terms))
        if self._keep == "shoppers":
            if batch.shoppers is None or self._shopper_totals is None:
                raise ValueError("rows without shoppers cannot be clustered by shopper")
            self._shopper_totals.add(batch.shoppers, terms)
        elif self._keep == "rows":
            self._row_totals.add(terms)

    def _start(self, names: tuple[str, ...]) -> None:
        if not self._names:
            self._names = names
            self._sums = np.zeros(len(names))
            self._products = np.zeros((len(names), len(names)))
            self._shopper_totals = ShopperTotals(len(names))

    def _combine(self, rows: int, sums: FloatArray, products: FloatArray) -> None:
        """Add another part's sums; products of deviations merge by the formula of Chan, Golub, LeVeque (1979)."""
        if self._rows:
            distance = sums / rows - self._sums / self._rows
            self._products += np.outer(distance, distance) * (self._rows * rows / (self._rows + rows))
        self._products += products
        self._sums += sums
        self._rows += rows

    def __add__(self, other: Totals) -> Totals:
        """Return the totals of both parts; this part's rows come first."""
        if self._estimators != other._estimators or self._keep != other._keep:
            raise ValueError("totals of other estimators, or kept otherwise, do not merge")
        merged = Totals(self._estimators, self._keep)
        for part in (self, other):
            if part._rows:
                merged._start(part._names)
                merged._combine(part._rows, part._sums, part._products)
                if merged._shopper_totals is not None and part._shopper_totals is not None:
                    merged._shopper_totals.merge(part._shopper_totals)
                merged._row_totals.merge(part._row_totals)
                merged._extremes += part._extremes
        return merged

    def sample(self) -> Sample:
        """Return the means and variances of the rows so far.

        Raises
        ------
        NoData
            When there were no rows.
        """
        if not self._rows:
            raise NoData("there are no rows to evaluate")
        means = dict(zip(self._names, (self._sums / self._rows).tolist(), strict=True))
        covariance = self._products / max(1, self._rows - 1)
        return Sample(self._names, self._rows, means, covariance, self._units(), self._extremes)

    def _units(self) -> Units | None:
        if self._keep == "rows":
            return self._row_totals.units()
        if self._keep == "shoppers" and self._shopper_totals is not None:
            return self._shopper_totals.units()
        return None


def _products_of_deviations(terms: FloatArray) -> FloatArray:
    deviations = terms - terms.mean(axis=1, keepdims=True)
    return np.asarray(deviations @ deviations.T)


def estimate_values(estimators: Sequence[Estimator], source: LoggedBatch | Iterable[LoggedBatch]) -> dict[str, float]:
    """Estimate the values alone, by the names of the estimators.

    The values do not depend on how the source is cut into batches, to the last bit.
    """
    totals = Totals(estimators, "sums")
    for block in cut_blocks([source] if isinstance(source, LoggedBatch) else source):
        totals.add(block)
    means = totals.sample().means
    return {estimator.name: estimator.value(means) for estimator in estimators}
