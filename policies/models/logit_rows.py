"""The logits of many contexts as sums of rows of one table.

The logit of a head is a sum of hashed weights. For one action space it is a sum of vectors over the joint actions: one
that every context has, one per token of the context, one for the hours at which the sends would arrive, and one per
token that is crossed with these hours. All of them are rows of one table, and a context is a list of row numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from policies.arrays import FloatArray
from policies.models.features import feature_names, hour_bucket, known_hour, shared_token
from policies.models.token_weights import CROSSED_WITH_HOURS, TokenWeights
from policies.records.rows import Context, Scalar
from policies.row_table import RowTable

MOST_ROWS = 20_000
"""How many rows are kept at most. All rows are dropped when there are more, unless one list of contexts needs more."""

_FIRST_ROWS = 256
_MOST_VALUES = 20_000

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
