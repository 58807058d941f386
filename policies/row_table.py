"""A table of vectors, and sums of its rows that do not depend on what else is summed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import numpy as np

from policies.arrays import FloatArray

_ZEROS = 0
_BLOCK = 1 << 16
"""How many numbers are gathered at once: half a megabyte stays in the processor's cache."""


class TableFull(Exception):
    """A table has no place for another vector."""


class RowTable:
    """Vectors of one size that are added once and never move or change; vector 0 is zero.

    Several threads may read and add at once. The size is not 1: NumPy adds the numbers of a single column in pairs, and
    those of several columns one after the other. The logits of two heads have at least two columns.

    >>> table = RowTable(rows=3, size=2)
    >>> table.add(np.array([1.0, 2.0])), table.add(np.array([0.5, 0.0]))
    (1, 2)
    >>> table.sums([[1, 2], [2]])
    array([[1.5, 2. ],
           [0.5, 0. ]])
    """

    def __init__(self, rows: int, size: int) -> None:
        self._values = np.zeros((rows, size))
        self._numbers = count(_ZEROS + 1)

    def add(self, row: FloatArray) -> int:
        """Add a vector, and return its number.

        Raises
        ------
        TableFull
            When there is no place for the vector.
        """
        number = next(self._numbers)
        if number >= len(self._values):
            raise TableFull
        self._values[number] = row
        return number

    def sums(self, numbers: Sequence[Sequence[int]]) -> FloatArray:
        """Return the sum of each list of vectors, added one after the other in the order of the list.

        A sum is the same to the byte whatever other lists are there: shorter lists are filled up with zeros at the end.
        """
        width, size = max(map(len, numbers), default=0), self._values.shape[1]
        lists = [[*rows, *[_ZEROS] * (width - len(rows))] for rows in numbers]
        padded, sums = np.array(lists, dtype=np.intp).reshape(len(lists), width), np.empty((len(lists), size))
        step = max(1, _BLOCK // max(1, width * size))
        for start in range(0, len(lists), step):
            block = slice(start, start + step)
            np.add.reduce(self._values.take(padded[block], axis=0), axis=1, out=sums[block])
        return sums
