"""Units: what is independent of each other, shoppers or rows, with the totals of their terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_eval.columns import FloatArray, Labels


@dataclass(frozen=True)
class Units:
    """Independent units: the number of rows of each (U,), and the totals of their terms (T, U)."""

    sizes: FloatArray
    totals: FloatArray


class ShopperTotals:
    """Totals of terms by shopper; memory grows with the shoppers, not with the rows.

    Examples
    --------
    >>> shoppers = ShopperTotals(terms=1)
    >>> shoppers.add(np.array(["ann", "bob", "ann"]), np.array([[1.0, 2.0, 4.0]]))
    >>> shoppers.units().totals
    array([[5., 2.]])
    """

    def __init__(self, terms: int) -> None:
        self._codes: dict[Any, int] = {}
        self._table = np.zeros((terms + 1, 1024))  # the first line counts rows

    def __len__(self) -> int:
        return len(self._codes)

    def add(self, ids: Labels, terms: FloatArray) -> None:
        """Add rows: ids of their shoppers (n,), terms (T, n)."""
        names, inverse = _find_distinct(ids)
        counts = np.bincount(inverse, minlength=len(names)).astype(np.float64)
        sums = [np.bincount(inverse, weights=term, minlength=len(names)) for term in terms]
        self._add_sums(names, np.stack([counts, *sums]))

    def _add_sums(self, names: list[Any], sums: FloatArray) -> None:
        codes = self._codes
        columns = np.array([codes.setdefault(name, len(codes)) for name in names], dtype=np.intp)
        while self._table.shape[1] < len(codes):
            self._table = np.concatenate([self._table, np.zeros_like(self._table)], axis=1)
        self._table[:, columns] += sums

    def merge(self, other: ShopperTotals) -> None:
        """Add the totals of another part of the log."""
        self._add_sums(list(other._codes), other._table[:, : len(other)])

    def units(self) -> Units:
        """Return the shoppers as units, in the order in which they first came."""
        table = self._table[:, : len(self)]
        return Units(table[0], table[1:])


def _find_distinct(ids: Labels) -> tuple[list[Any], NDArray[np.intp]]:
    """Return the distinct ids in the order in which they come, and each row's place among them (n,)."""
    names, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return names[order].tolist(), place[inverse]


class RowTotals:
    """Rows as units: the terms of every row, in order."""

    def __init__(self) -> None:
        self._parts: list[FloatArray] = []

    def add(self, terms: FloatArray) -> None:
        """Add rows: terms (T, n)."""
        self._parts.append(terms)

    def merge(self, other: RowTotals) -> None:
        """Add the rows of another part of the log after these."""
        self._parts += other._parts

    def units(self) -> Units:
        """Return every row as a unit."""
        totals = np.concatenate(self._parts, axis=1)
        return Units(np.ones(totals.shape[1]), totals)
