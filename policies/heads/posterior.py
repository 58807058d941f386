"""Serving: the posterior of all logits for many requests at once, and draws of all weights from it.

For one request a draw of all weights of a head is, over the joint actions a,

logit[a] = bias + Σ_groups x_group(a) · (mean[cell(a)] + √variance[cell(a)] · ε[cell(a)])

with one standard normal ε for each cell of each group (`policies.heads.cells`): in distribution exactly what drawing
each weight gives, at a cost that does not depend on the number of weights.

References
----------
Chapelle & Li (2011), An empirical evaluation of Thompson sampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.arrays import FloatArray, IntArray
from policies.catalogue.action_space import ActionSpace
from policies.heads.cell_rows import Beliefs, CellRows
from policies.heads.cells import Axes, list_groups
from policies.heads.crossings import MOMENTS, NUMBERS
from policies.heads.expectation import mean_sigmoid, sigmoid
from policies.heads.features import Features
from policies.heads.levels import HeadLevels, RequestInputs
from policies.heads.snapshot import HeadsSnapshot
from policies.heads.tables import HEADS, HeadTable
from policies.heads.token_register import TokenRegister
from policies.row_table import TableFull

_Places = tuple[FloatArray, IntArray | None]
"""Values (r, m, places), and the place of each joint action; None where each has its own."""


@dataclass(frozen=True)
class Posterior:
    """The posterior of a list of requests (r) over the joint actions (n) of a space.

    A row of each result is the same to the byte whatever other requests are in the list.

    Parameters
    ----------
    heads
        The heads' names, biases and levels.
    cells
        Means and variances of the cells (r, 2, cells).
    inputs
        The numbers and moments of the requests.
    """

    heads: Sequence[tuple[str, float, HeadLevels]]
    cells: FloatArray
    inputs: RequestInputs

    def logits(self) -> dict[str, FloatArray]:
        """Return the posterior means of the logits (r, n) of each head."""
        return {name: _spread(*part)[:, 0] for name, part in self._means().items()}

    def variances(self) -> dict[str, FloatArray]:
        """Return the posterior variances of the logits (r, n) of each head."""
        return {name: _spread(*part)[:, 0] for name, part in self._variances().items()}

    def probabilities(self) -> dict[str, FloatArray]:
        """Return the posterior means of the probabilities (r, n) of each head."""
        variances = self._variances()
        return {
            name: _spread(mean_sigmoid(logits, variances[name][0]), place_of)[:, 0]
            for name, (logits, place_of) in self._means().items()
        }

    def draw(self, normals: FloatArray) -> dict[str, FloatArray]:
        """Return the logits (r, m, n) of each head under m draws of all weights.

        ``normals`` (r, m, cells) are standard normals, see `draw_normals`.
        """
        return {name: _spread(*part) for name, part in self._draw_cells(normals).items()}

    def draw_probabilities(self, normals: FloatArray) -> dict[str, FloatArray]:
        """Return the probabilities (r, m, n) of each head under m draws of all weights."""
        return {
            name: _spread(sigmoid(logits), place_of) for name, (logits, place_of) in self._draw_cells(normals).items()
        }

    def _means(self) -> dict[str, _Places]:
        return self._logits(self.cells[:, :1])

    def _variances(self) -> dict[str, _Places]:
        squared = self.inputs.square()
        return {name: levels.sums(self.cells[:, 1:], squared) for name, _, levels in self.heads}

    def _draw_cells(self, normals: FloatArray) -> dict[str, _Places]:
        drawn = normals * np.sqrt(self.cells[:, 1:])
        drawn += self.cells[:, :1]
        return self._logits(drawn)

    def _logits(self, cells: FloatArray) -> dict[str, _Places]:
        """Return the logits (r, m, places) of each head, and the place of each joint action."""
        logits = dict[str, _Places]()
        for name, bias, levels in self.heads:
            sums, place_of = levels.sums(cells, self.inputs)
            sums += bias
            logits[name] = sums, place_of
        return logits


class CompiledHeads:
    """The heads of a snapshot, compiled for an action space.

    Several threads may use it at once.

    Parameters
    ----------
    snapshot
        What was learned. A joint action that the heads have not met starts from its category, channel and delay.
    space
        The joint actions.
    tables
        The heads of this code; a snapshot that was learned with others is refused.

    Raises
    ------
    HeadsMismatch
        Naming the head or the line that differs.
    """

    def __init__(self, snapshot: HeadsSnapshot, space: ActionSpace, tables: Sequence[HeadTable] = HEADS) -> None:
        snapshot.check(tables)
        self._axes = Axes.from_space(space)
        groups = list_groups(tables, self._axes)
        self._heads = [
            (table.name, table.bias, HeadLevels.of([group for group in groups if group.head == head], self._axes))
            for head, table in enumerate(tables)
        ]
        self._numbers = sorted({group.number for group in groups if group.number is not None})
        self._moments = [moment for moment in MOMENTS if any(group.moment == moment for group in groups)]
        register = TokenRegister(snapshot.tokens)
        self._rows = CellRows(Beliefs(snapshot, tables), groups, space.delays_s, register)

    @property
    def cells(self) -> int:
        """The number of cells: of standard normals in one draw."""
        return self._rows.size

    def posterior(self, requests: Sequence[Features]) -> Posterior:
        """Return the posterior of a list of requests."""
        return Posterior(self._heads, self._sums(requests), self._inputs(requests))

    def _sums(self, requests: Sequence[Features]) -> FloatArray:
        try:
            return self._rows.sums(requests)
        except TableFull:
            rows = self._rows = self._rows.larger(requests)
            return rows.sums(requests)

    def _inputs(self, requests: Sequence[Features]) -> RequestInputs:
        numbers = {name: self._numbers_of(name, requests) for name in self._numbers}
        patterns, delays = [self._rows.patterns(features) for features in requests], len(self._axes.values["delay"])
        firsts = {
            moment: np.array(
                [_firsts(of_request.get(moment, ()), delays) for of_request in patterns], dtype=np.int64
            ).reshape(len(requests), delays)
            for moment in self._moments
        }
        return RequestInputs(numbers, firsts)

    def _numbers_of(self, name: str, requests: Sequence[Features]) -> FloatArray:
        axis = NUMBERS[name]
        values = (0,) if axis is None else self._axes.values[axis]
        numbers = [[features.number(name, value) for value in values] for features in requests]
        return np.array(numbers, dtype=np.float64).reshape(len(requests), len(values))


def draw_normals(streams: Sequence[np.random.Generator], draws: int, cells: int) -> FloatArray:
    """Return standard normals (r, draws, cells), those of each request from the request's own stream."""
    normals = np.empty((len(streams), draws, cells))
    for stream, of_request in zip(streams, normals, strict=True):
        stream.standard_normal(out=of_request)
    return normals


def _firsts(pattern: Sequence[str | None], delays: int) -> list[int]:
    """Return for each delay the first delay with the same token.

    >>> _firsts(("day", "night", "day"), 3)
    [0, 1, 0]
    """
    return [pattern.index(token) for token in pattern] if pattern else list(range(delays))


def _spread(values: FloatArray, place_of: IntArray | None) -> FloatArray:
    """Return the values of places (r, m, places) for each joint action (r, m, n)."""
    return values if place_of is None else values.take(place_of, axis=-1)
