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


@dataclass(frozen=True)
class PlaceValues:
    """Values of a head for each request (r), draw (m) and joint action (n), in as few places as the head allows.

    Attributes
    ----------
    values
        (r, m, places).
    place_of
        The place of each joint action (n,); None where each has its own.
    """

    values: FloatArray
    place_of: IntArray | None

    def spread(self) -> FloatArray:
        """Return the values of all joint actions (r, m, n). Scores are cheaper where places are spread last."""
        return self.values if self.place_of is None else self.values.take(self.place_of, axis=-1)


@dataclass(frozen=True)
class Posterior:
    """The posterior of a list of requests (r) over the joint actions (n) of a space.

    A row of each result is the same to the byte whatever other requests are in the list. Draws are fastest for lists of
    16 to 32 requests, whose arrays stay in the processor's cache.

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

    def part(self, rows: slice) -> Posterior:
        """Return the posterior of some of the requests."""
        return Posterior(self.heads, self.cells[rows], self.inputs.part(rows))

    def logits(self) -> dict[str, PlaceValues]:
        """Return the posterior means of the logits of each head; m is 1."""
        return self._logits(self.cells[:, :1])

    def variances(self) -> dict[str, PlaceValues]:
        """Return the posterior variances of the logits of each head; m is 1."""
        squared = self.inputs.square()
        return {name: PlaceValues(*levels.sums(self.cells[:, 1:], squared)) for name, _, levels in self.heads}

    def probabilities(self) -> dict[str, PlaceValues]:
        """Return the posterior means of the probabilities of each head; m is 1."""
        variances = self.variances()
        return {
            name: PlaceValues(mean_sigmoid(logits.values, variances[name].values), logits.place_of)
            for name, logits in self.logits().items()
        }

    def draw(self, normals: FloatArray) -> dict[str, PlaceValues]:
        """Return the logits of each head under m draws of all weights.

        ``normals`` (r, m, cells) are standard normals, see `draw_normals`.
        """
        cells = normals * np.sqrt(self.cells[:, 1:])
        cells += self.cells[:, :1]
        return self._logits(cells)

    def draw_probabilities(self, normals: FloatArray) -> dict[str, PlaceValues]:
        """Return the probabilities of each head under m draws of all weights."""
        return {
            name: PlaceValues(sigmoid(logits.values), logits.place_of) for name, logits in self.draw(normals).items()
        }

    def _logits(self, cells: FloatArray) -> dict[str, PlaceValues]:
        """Return the logits of each head for values of the cells (r, m, cells)."""
        logits = dict[str, PlaceValues]()
        for name, bias, levels in self.heads:
            sums, place_of = levels.sums(cells, self.inputs)
            sums += bias
            logits[name] = PlaceValues(sums, place_of)
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
        numbers = [features.numbers_of(name, values) for features in requests]
        return np.array(numbers, dtype=np.float64).reshape(len(requests), len(values))


def draw_normals(streams: Sequence[np.random.Generator], draws: int, cells: int) -> FloatArray:
    """Return standard normals (r, draws, cells), those of each request from the request's own stream.

    If a request has several triggers, each trigger is a row, and the streams of these rows have the same seed: so all
    rows of the request see the same normals. The draws of each row alone are exact. Between the rows, weights of
    different tokens of one cell move together; if each weight were drawn by itself, they would not.
    """
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
