"""Units: what is independent of each other, shoppers or rows, with the totals of their terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_eval.batch import FloatArray, Labels


@dataclass(frozen=True)
class Units:
    """Independent units: how many rows each has (U,), and the totals of its terms (T, U)."""

    sizes: FloatArray
    totals: FloatArray


class Shoppers:
    """Totals of terms by shopper; memory grows with the shoppers, not with the rows.

    Examples
    --------
    >>> shoppers = Shoppers(terms=1)
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
        """Add rows: ids (n,), terms (T, n)."""
        names, inverse = _distinct(ids)
        counts = np.bincount(inverse, minlength=len(names)).astype(np.float64)
        sums = [np.bincount(inverse, weights=term, minlength=len(names)) for term in terms]
        self._add_sums(names, np.stack([counts, *sums]))

    def _add_sums(self, names: list[Any], sums: FloatArray) -> None:
        codes = self._codes
        own = np.array([codes.setdefault(name, len(codes)) for name in names], dtype=np.intp)
        while self._table.shape[1] < len(codes):
            self._table = np.concatenate([self._table, np.zeros_like(self._table)], axis=1)
        self._table[:, own] += sums

    def merge(self, other: Shoppers) -> None:
        """Add what another has counted."""
        self._add_sums(list(other._codes), other._table[:, : len(other)])

    def units(self) -> Units:
        """Give the shoppers in the order in which they were first seen."""
        table = self._table[:, : len(self)]
        return Units(table[0], table[1:])


def _distinct(ids: Labels) -> tuple[list[Any], NDArray[np.intp]]:
    """Give the distinct ids in the order in which they come, and each row's place among them."""
    names, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return names[order].tolist(), place[inverse]


class EveryRow:
    """Rows as units: their terms in order, as many as there are."""

    def __init__(self) -> None:
        self._parts: list[FloatArray] = []

    def add(self, terms: FloatArray) -> None:
        """Add rows: terms (T, n)."""
        self._parts.append(terms)

    def merge(self, other: EveryRow) -> None:
        """Add another's rows after these."""
        self._parts += other._parts

    def units(self) -> Units:
        """Give every row as a unit of its own."""
        totals = np.concatenate(self._parts, axis=1)
        return Units(np.ones(totals.shape[1]), totals)
