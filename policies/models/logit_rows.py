"""The logits of many contexts as sums of rows of one table.

The logit of a head is a sum of hashed weights. For one action space it is a sum of vectors over the joint actions: one
that every context has, one per token of the context, one for the hours at which the sends would arrive, and one per
token that is crossed with these hours. All of them are rows of one table, and a context is a list of row numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import numpy as np

from policies.arrays import FloatArray
from policies.models.features import feature_names, hour_bucket, known_hour, shared_token
from policies.models.token_weights import CROSSED_WITH_HOURS, TokenWeights
from policies.records.rows import Context, Scalar

MOST_ROWS = 20_000
"""How many rows are kept at most. All rows are dropped when there are more, unless one list of contexts needs more."""

_FIRST_ROWS = 256
_MOST_VALUES = 20_000
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


Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Hours:
    """The row of the hours at which the sends would arrive; ``buckets`` has one hour bucket per delay of the space."""

    row: int
    buckets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    """The rows of a token: its own row, and its rows crossed with hours, by the number of the hours' row."""

    row: int
    namespace: str
    text: str
    with_hours: dict[int, int]


class LogitRows:
    """The rows of a model for one action space, each computed when a context first needs it."""

    def __init__(self, weights: TokenWeights, capacity: int = _FIRST_ROWS) -> None:
        self.capacity = capacity
        self._weights = weights
        self._table = RowTable(capacity, 2 * len(weights.space))
        self._base = self._table.add(weights.base().ravel())
        self._tokens: dict[str, _Token] = {}
        self._values: dict[tuple[str, Scalar, type], _Token] = {}
        self._hours: dict[float, _Hours] = {}
        self._buckets: dict[tuple[int, ...], _Hours] = {}

    def logits(self, contexts: Sequence[Context]) -> FloatArray:
        """Return the logits of both heads, shape (contexts, 2, n).

        Raises
        ------
        TableFull
            When the contexts need more rows than there is place for.
        """
        sums = self._table.sums([self._rows(context) for context in contexts])
        return sums.reshape(len(contexts), 2, len(self._weights.space))

    def larger(self, contexts: Sequence[Context]) -> LogitRows:
        """Return an empty table with twice as many rows, up to `MOST_ROWS`, or with as many as these contexts need."""
        needed = 2 + sum(2 * len(context) + 1 for context in contexts)
        return LogitRows(self._weights, max(min(2 * self.capacity, MOST_ROWS), needed))

    def _rows(self, context: Context) -> list[int]:
        """Return the numbers of the rows of a context in a fixed order, because sums round by their order."""
        tokens = [self._token(name, space, context[name]) for name, space in feature_names(tuple(context))]
        rows = [self._base, *[token.row for token in tokens]]
        if (hour := known_hour(context)) is None:
            return rows
        hours = self._hours_of(hour)
        crossed = [self._cross(token, hours) for token in tokens if token.namespace in CROSSED_WITH_HOURS]
        return [*rows, hours.row, *crossed]

    def _token(self, name: str, namespace: str, value: Scalar) -> _Token:
        key = name, value, value.__class__  # True, 1 and 1.0 are equal
        token = self._values.get(key)
        if token is None:
            token = self._token_of(namespace, shared_token(name, namespace, value))
            _keep(self._values, key, token)
        return token

    def _token_of(self, namespace: str, text: str) -> _Token:
        token = self._tokens.get(text)
        if token is None:
            row = self._table.add(self._weights.of_token(namespace, text).ravel())
            token = self._tokens[text] = _Token(row, namespace, text, {})
        return token

    def _hours_of(self, hour: float) -> _Hours:
        hours = self._hours.get(hour)
        if hours is None:
            buckets = tuple(hour_bucket(hour, delay) for delay in self._weights.space.delays_s)
            if buckets not in self._buckets:
                row = self._table.add(self._weights.of_hours(buckets).ravel())
                self._buckets[buckets] = _Hours(row, buckets)
            hours = self._buckets[buckets]
            _keep(self._hours, hour, hours)
        return hours

    def _cross(self, token: _Token, hours: _Hours) -> int:
        row = token.with_hours.get(hours.row)
        if row is None:
            vectors = self._weights.of_token_at(token.namespace, token.text, hours.buckets)
            row = token.with_hours[hours.row] = self._table.add(vectors.ravel())
        return row


def _keep(cache: dict[Key, Value], key: Key, value: Value) -> None:
    """Add an entry to a cache, which drops all entries when there are too many."""
    if len(cache) >= _MOST_VALUES:
        cache.clear()
    cache[key] = value
