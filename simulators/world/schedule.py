"""A table of rows with due times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from simulators.arrays import FloatArray, Indices

_FIRST_CAPACITY = 256


class Schedule:
    """A table whose rows each have a due time; its size follows the number of rows that wait.

    Parameters
    ----------
    columns
        Name → type of each column.

    Examples
    --------
    >>> schedule = Schedule({"shopper": np.int64})
    >>> schedule.add(np.array([3.5, 1.2]), shopper=np.array([7, 8]))
    >>> due, rows = schedule.pop(2.0)
    >>> due, rows["shopper"], len(schedule)
    (array([1.2]), array([8]), 1)
    """

    def __init__(self, columns: Mapping[str, DTypeLike]) -> None:
        self._due = np.empty(_FIRST_CAPACITY)
        self._columns = {name: np.empty(_FIRST_CAPACITY, dtype=kind) for name, kind in columns.items()}
        self._size = 0
        self._popped = 0

    def __len__(self) -> int:
        return self._size - self._popped

    def add(self, due: FloatArray, **values: NDArray[Any]) -> None:
        """Add rows: their due times, and the values of every column."""
        if self._size + len(due) > len(self._due):
            self._make_room(len(due))
        end = self._size + len(due)
        self._due[self._size : end] = due
        for name, column in self._columns.items():
            column[self._size : end] = values[name]
        self._size = end

    def pop(self, until: float) -> tuple[FloatArray, dict[str, NDArray[Any]]]:
        """Remove and return the rows that are due before a time, in the order in which they were added."""
        rows = (self._due[: self._size] < until).nonzero()[0]
        if not len(rows):
            return self._due[:0], {name: column[:0] for name, column in self._columns.items()}
        due = self._due[rows]
        popped = {name: column[rows] for name, column in self._columns.items()}
        self._due[rows] = np.inf
        self._popped += len(rows)
        if self._popped == self._size:
            self._size = self._popped = 0
        return due, popped

    def _make_room(self, rows: int) -> None:
        """Drop the rows that were popped. Enlarge the table if less than half of it is free afterwards."""
        kept = np.flatnonzero(self._due[: self._size] < np.inf)
        needed = len(kept) + rows
        capacity = len(self._due) if 2 * needed <= len(self._due) else 2 * max(needed, _FIRST_CAPACITY)
        self._due = _copy_rows(self._due, kept, capacity)
        self._columns = {name: _copy_rows(column, kept, capacity) for name, column in self._columns.items()}
        self._size, self._popped = len(kept), 0


def _copy_rows(column: NDArray[Any], kept: Indices, capacity: int) -> NDArray[Any]:
    fresh = np.empty(capacity, dtype=column.dtype)
    fresh[: len(kept)] = column[kept]
    return fresh
