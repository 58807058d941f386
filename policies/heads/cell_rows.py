"""The means and variances of all cells for many requests, as sums of rows of one table.

What the weights add to the cells of a request is a sum over its tokens: one vector that every request has, one for each
token and pair of tokens that some line crosses, and one for the tokens of each moment. All are rows of one table, each
computed when a request first needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np

from policies.arrays import FloatArray
from policies.heads.cells import CellGroup
from policies.heads.crossings import Crossing, Key
from policies.heads.features import Features
from policies.heads.snapshot import HeadsSnapshot
from policies.heads.tables import HeadTable
from policies.heads.token_register import TokenRegister
from policies.row_table import RowTable

MOST_ROWS = 20_000
"""How many rows are kept at most. All rows are dropped when there are more, unless one list of requests needs more."""

_FIRST_ROWS = 256
_UNKNOWN = -1

_Pattern = tuple[str | None, ...]
"""The token of a moment for each delay of the space; None where it is not known."""
_Part = tuple[tuple[str, ...], str | None]
"""Names of tokens, and a moment: what the crossings of a row have in common."""


class Beliefs:
    """Means and variances of the weights of a snapshot, looked up by key; an unknown key has its prior."""

    def __init__(self, snapshot: HeadsSnapshot, tables: Sequence[HeadTable]) -> None:
        self._numbers = {key: number for number, key in enumerate(snapshot.keys)}
        self._tables = tables
        self._heads = [_read(snapshot, table) for table in tables]

    def find(self, head: int, keys: Sequence[Key | None]) -> FloatArray:
        """Return the means and variances (2, keys) of weights of one crossing; 0 for None: no weight at all."""
        name = next((str(key[0]) for key in keys if key is not None), None)
        if name is None:
            return np.zeros((2, len(keys)))
        sd, mean = self._tables[head].lines[name]
        numbers = [_UNKNOWN if key is None else self._numbers.get(key, _UNKNOWN) for key in keys]
        learned = self._heads[head].take(numbers, axis=1)
        values = np.where(np.isnan(learned), [[mean], [sd * sd]], learned)
        return np.where([key is not None for key in keys], values, 0.0)


def _read(snapshot: HeadsSnapshot, table: HeadTable) -> FloatArray:
    """Return the means and variances (2, weights + 1) of a head, NaN where it has learned nothing; so is the last."""
    learned, means, information = snapshot.heads[table.name]
    numbers = np.frombuffer(learned, np.uint32)
    sds = np.array([table.lines[str(snapshot.keys[number][0])].sd for number in numbers.tolist()])
    values = np.full((2, len(snapshot.keys) + 1), np.nan)
    values[0, numbers] = np.frombuffer(means)
    values[1, numbers] = sds * sds / (1.0 + sds * sds * np.frombuffer(information))
    return values


class CellRows:
    """The rows of a snapshot for the groups of one action space.

    Parameters
    ----------
    beliefs
        The weights.
    groups
        The cells, see `cells.list_groups`.
    delays_s
        The delays of the space.
    register
        The tokens that have weights. A token without a place counts for nothing.
    """

    def __init__(
        self,
        beliefs: Beliefs,
        groups: Sequence[CellGroup],
        delays_s: Sequence[int],
        register: TokenRegister,
        capacity: int = _FIRST_ROWS,
    ) -> None:
        self.capacity = capacity
        self.size = sum(len(group.cells) for group in groups)
        self._beliefs, self._groups, self._delays, self._register = beliefs, groups, delays_s, register
        self._parts = _parts(groups)
        self._table = RowTable(capacity, 2 * self.size)
        self._rows: dict[tuple[tuple[str, ...], str | None, tuple[str, ...], _Pattern], int] = {}

    def sums(self, requests: Sequence[Features]) -> FloatArray:
        """Return the means and variances of the cells, shape (requests, 2, cells).

        Raises
        ------
        TableFull
            When the requests need more rows than there is place for.
        """
        sums = self._table.sums([list(self._numbers(features)) for features in requests])
        return sums.reshape(len(requests), 2, self.size)

    def larger(self, requests: Sequence[Features]) -> CellRows:
        """Return an empty table with twice as many rows, up to `MOST_ROWS`, or with as many as these requests need."""
        needed = 1 + sum(sum(1 for _ in self._signatures(features)) for features in requests)
        capacity = max(min(2 * self.capacity, MOST_ROWS), needed)
        return CellRows(self._beliefs, self._groups, self._delays, self._register, capacity)

    def patterns(self, features: Features) -> dict[str, _Pattern]:
        """Return the tokens of each moment, for each delay."""
        return {
            moment: tuple([by_delay.get(delay) for delay in self._delays])
            for moment, by_delay in features.moments.items()
        }

    def _numbers(self, features: Features) -> Iterator[int]:
        for signature in self._signatures(features):
            row = self._rows.get(signature)
            if row is None:
                row = self._rows[signature] = self._table.add(self._compute(*signature).ravel())
            yield row

    def _signatures(
        self, features: Features
    ) -> Iterator[tuple[tuple[str, ...], str | None, tuple[str, ...], _Pattern]]:
        """Yield what the rows of a request depend on, in a fixed order, because sums round by their order."""
        patterns, tokens = self.patterns(features), features.tokens
        for names, moment in self._parts:
            pattern: _Pattern = () if moment is None else patterns.get(moment, ())
            if moment is not None and not pattern:
                continue
            for combination in product(*[tokens.get(name, ()) for name in names]):
                yield names, moment, combination, pattern

    def _compute(
        self, names: tuple[str, ...], moment: str | None, tokens: tuple[str, ...], pattern: _Pattern
    ) -> FloatArray:
        """Return the means and variances (2, cells) that a combination of tokens adds."""
        total = np.zeros((2, self.size))
        if not all(self._register.has_place(name, token) for name, token in zip(names, tokens, strict=True)):
            return total
        delays = dict(zip(self._delays, pattern, strict=True)) if moment else {}
        for group, crossing in self._parts[names, moment]:
            keys = [_key(crossing, cell, delays, tokens) for cell in group.cells]
            total[:, group.start : group.start + len(group.cells)] += self._beliefs.find(group.head, keys)
        return total


def _parts(
    groups: Sequence[CellGroup],
) -> Mapping[_Part, list[tuple[CellGroup, Crossing]]]:
    """Return the groups and their crossings by the names of the tokens and by the moment."""
    parts = dict[_Part, list[tuple[CellGroup, Crossing]]]()
    for group in groups:
        for crossing in group.crossings:
            parts.setdefault((crossing.tokens, crossing.moment), []).append((group, crossing))
    return parts


def _key(
    crossing: Crossing, cell: tuple[str | int, ...], delays: Mapping[int, str | None], tokens: tuple[str, ...]
) -> Key | None:
    """Return the key of a weight in a cell, None where the moment has no token."""
    if crossing.moment is None:
        return (crossing.name, *cell, *tokens)
    token = delays[int(cell[-1])]
    return None if token is None else (crossing.name, *cell[:-1], token, *tokens)
