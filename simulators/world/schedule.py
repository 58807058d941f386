"""The agenda: rows that wait for their hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_FIRST_CAPACITY = 256


class Schedule:
    """A table of rows with a due time each; memory follows the rows that wait.

    Parameters
    ----------
    columns
        Name → type of what a row carries.

    Examples
    --------
    >>> agenda = Schedule({"shopper": np.int64})
    >>> agenda.add(np.array([3.5, 1.2]), shopper=np.array([7, 8]))
    >>> due, rows = agenda.pop(2.0)
    >>> due, rows["shopper"], len(agenda)
    (array([1.2]), array([8]), 1)
    """

    def __init__(self, columns: Mapping[str, DTypeLike]) -> None:
        self._due = np.empty(_FIRST_CAPACITY)
        self._columns = {name: np.empty(_FIRST_CAPACITY, dtype=kind) for name, kind in columns.items()}
        self._size = 0
        self._gone = 0

    def __len__(self) -> int:
        return self._size - self._gone

    def add(self, due: NDArray[np.float64], **values: NDArray[Any]) -> None:
        """Enter rows."""
        if self._size + len(due) > len(self._due):
            self._make_room(len(due))
        end = self._size + len(due)
        self._due[self._size : end] = due
        for name, column in self._columns.items():
            column[self._size : end] = values[name]
        self._size = end

    def pop(self, until: float) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]]]:
        """Take the rows that are due before a time, in the order in which they were entered."""
        rows = np.flatnonzero(self._due[: self._size] < until)
        due = self._due[rows]
        taken = {name: column[rows] for name, column in self._columns.items()}
        self._due[rows] = np.inf
        self._gone += len(rows)
        if self._gone == self._size:
            self._size = self._gone = 0
        return due, taken

    def _make_room(self, rows: int) -> None:
        """Drop rows that were taken; double the table where that frees less than half of it."""
        kept = np.flatnonzero(self._due[: self._size] < np.inf)
        needed = len(kept) + rows
        capacity = len(self._due) if 2 * needed <= len(self._due) else 2 * max(needed, _FIRST_CAPACITY)
        self._due = _moved(self._due, kept, capacity)
        self._columns = {name: _moved(column, kept, capacity) for name, column in self._columns.items()}
        self._size, self._gone = len(kept), 0


def _moved(column: NDArray[Any], kept: NDArray[np.int64], capacity: int) -> NDArray[Any]:
    fresh = np.empty(capacity, dtype=column.dtype)
    fresh[: len(kept)] = column[kept]
    return fresh
