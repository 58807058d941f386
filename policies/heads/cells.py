"""Where the Gaussians of the heads are: groups of weights, and their cells over the joint actions of a space.

The weights of a head that differ by the same slots and moment, and that are multiplied by the same number, form a
*group*. Of all these weights a request needs only sums: for each combination of slot values the sum of the weights
that a send with these values has. Such a combination is a *cell*. A sum of independent Gaussians is a Gaussian, and
the cells of a group share no weight: so the posterior of a request is one independent Gaussian for each cell,
whatever the number of weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from policies.arrays import IntArray
from policies.catalogue.action_space import ActionSpace
from policies.heads.crossings import Crossing
from policies.heads.features import SlotValue
from policies.heads.tables import HeadTable


@dataclass(frozen=True)
class Axes:
    """The values of each slot, and which of them each joint action has (n,)."""

    values: dict[str, tuple[SlotValue, ...]]
    of: dict[str, IntArray]

    @classmethod
    def from_space(cls, space: ActionSpace) -> Axes:
        """Return the slots of a space; ``category`` is the message's."""
        categories = tuple(dict.fromkeys(space.categories))
        category_of = np.array([categories.index(category) for category in space.categories], dtype=np.int64)
        return cls(
            {"message": space.messages, "category": categories, "channel": space.channels, "delay": space.delays_s},
            {
                "message": space.message_of,
                "category": category_of[space.message_of],
                "channel": space.channel_of,
                "delay": space.delay_of,
            },
        )

    def combine(self, slots: Iterable[str]) -> tuple[IntArray, IntArray]:
        """Return the combinations of slot values that occur (c, slots), and the one of each joint action (n,)."""
        slots = tuple(slots)
        count = len(self.of["message"])
        if not slots:
            return np.zeros((1, 0), dtype=np.int64), np.zeros(count, dtype=np.int64)
        columns = np.stack([self.of[slot] for slot in slots], axis=1)
        combinations, combination_of = np.unique(columns, axis=0, return_inverse=True)
        return combinations, combination_of.reshape(count)


@dataclass(frozen=True, eq=False)
class CellGroup:
    """The cells of the weights that share slots, moment and number.

    Parameters
    ----------
    head
        The number of the head.
    start
        The place of the first cell in the vector of all cells.
    cells
        The values of the slots of each cell; with a moment the last value is the delay.
    cell_of
        The cell of each joint action (n,), counted from 0.
    crossings
        The lines of the head whose weights are in the group.
    """

    head: int
    start: int
    cells: tuple[tuple[SlotValue, ...], ...]
    cell_of: IntArray
    crossings: tuple[Crossing, ...]

    @property
    def moment(self) -> str | None:
        """The moment by whose token the weights differ."""
        return self.crossings[0].moment

    @property
    def number(self) -> str | None:
        """The number by which the weights are multiplied."""
        return self.crossings[0].number

    @property
    def axis(self) -> str | None:
        """The slot by whose value the number differs."""
        return self.crossings[0].axis

    @property
    def axes(self) -> frozenset[str]:
        """The slots on which the contribution of the group depends."""
        return self.crossings[0].axes


def list_groups(tables: Sequence[HeadTable], axes: Axes) -> list[CellGroup]:
    """Return the groups of all heads, one after the other in the vector of all cells."""
    groups, start = list[CellGroup](), 0
    for head, table in enumerate(tables):
        by_group = dict[tuple[tuple[str, ...], str | None, str | None], list[Crossing]]()
        for crossing in table.crossings:
            by_group.setdefault((crossing.slots, crossing.moment, crossing.number), []).append(crossing)
        for (slots, moment, _), crossings in by_group.items():
            cells, cell_of = _cells(axes, slots, with_delay=moment is not None)
            groups.append(CellGroup(head, start, cells, cell_of, tuple(crossings)))
            start += len(cells)
    return groups


def _cells(
    axes: Axes, slots: tuple[str, ...], *, with_delay: bool
) -> tuple[tuple[tuple[SlotValue, ...], ...], IntArray]:
    """Return the cells of a group and the cell of each joint action.

    A group with a moment has a cell for every delay: two delays may have the same token, and then the cell of the first
    delay stands for both, whether or not a send has it.
    """
    combinations, cell_of = axes.combine(slots)
    cells = [
        tuple(axes.values[slot][number] for slot, number in zip(slots, combination, strict=True))
        for combination in combinations.tolist()
    ]
    if not with_delay:
        return tuple(cells), cell_of
    delays = axes.values["delay"]
    return tuple((*cell, delay) for cell in cells for delay in delays), cell_of * len(delays) + axes.of["delay"]
