"""From the cells of a head to its logits, in as few additions as the head allows.

A head whose lines know only message, category and channel has one logit for each pair of message and channel; one whose
lines know only channel and delay has one for each such pair. Only a head with both needs one for each joint action, and
it still adds up in the two smaller arrays first. `CellLevel` is one such array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from policies.arrays import FloatArray, IntArray
from policies.heads.cells import Axes, CellGroup

_CONTENT = ("message", "channel")
_TIMING = ("channel", "delay")


@dataclass(frozen=True)
class RequestInputs:
    """What the requests (r) bring along, apart from the cells.

    Parameters
    ----------
    numbers
        Number → (r, values of its slot), or (r, 1) for a number that holds for all sends.
    firsts
        Moment → (r, delays): for each delay the first delay that has the same token.
    """

    numbers: Mapping[str, FloatArray]
    firsts: Mapping[str, IntArray]

    def square(self) -> RequestInputs:
        """Return the same with the squares of the numbers: variances add up so."""
        return RequestInputs({name: values * values for name, values in self.numbers.items()}, self.firsts)

    def part(self, rows: slice) -> RequestInputs:
        """Return the same for some of the requests."""
        return RequestInputs(
            {name: values[rows] for name, values in self.numbers.items()},
            {name: firsts[rows] for name, firsts in self.firsts.items()},
        )


@dataclass(frozen=True)
class _Term:
    """What a group adds to a level: a cell (level's cells,) and the value of a slot for the number."""

    columns: IntArray
    number: str | None
    value_of: IntArray
    moment: str | None
    delay_of: IntArray

    def of(self, cells: FloatArray, inputs: RequestInputs) -> FloatArray:
        """Return the contributions (r, m, level's cells)."""
        if self.moment is None:
            taken = cells.take(self.columns, axis=-1)
        else:  # delays with the same token share the cell of the first
            columns = self.columns + inputs.firsts[self.moment].take(self.delay_of, axis=1)
            requests, draws = np.arange(cells.shape[0])[:, None, None], np.arange(cells.shape[1])[:, None]
            taken = cells[requests, draws, columns[:, None, :]]
        if self.number is not None:
            taken *= inputs.numbers[self.number].take(self.value_of, axis=1)[:, None, :]
        return taken


@dataclass(frozen=True)
class CellLevel:
    """Sums of some groups of a head; ``place_of`` is the level's place of each joint action (n,)."""

    terms: tuple[_Term, ...]
    place_of: IntArray

    def sums(self, cells: FloatArray, inputs: RequestInputs) -> FloatArray:
        """Return the sums of the groups (r, m, places), added one after the other."""
        total = self.terms[0].of(cells, inputs)
        for term in self.terms[1:]:
            total += term.of(cells, inputs)
        return total


@dataclass(frozen=True)
class HeadLevels:
    """The levels of a head: one, or two or three whose sums are added for each joint action."""

    levels: tuple[CellLevel, ...]

    @classmethod
    def of(cls, groups: Sequence[CellGroup], axes: Axes) -> HeadLevels:
        """Return the levels of the groups of a head."""
        needed = frozenset[str]().union(*[group.axes for group in groups])
        if needed <= {*_TIMING}:
            return cls((_level(groups, axes, _TIMING),))
        if needed <= {*_CONTENT, "category"}:
            return cls((_level(groups, axes, _CONTENT),))
        content = [group for group in groups if group.axes <= {*_CONTENT, "category"}]
        timing = [group for group in groups if group not in content and group.axes <= {*_TIMING}]
        joint = [group for group in groups if group not in content and group not in timing]
        parts = (content, _CONTENT), (timing, _TIMING), (joint, ("message", "channel", "delay"))
        return cls(tuple(_level(members, axes, slots) for members, slots in parts if members))

    def sums(self, cells: FloatArray, inputs: RequestInputs) -> tuple[FloatArray, IntArray | None]:
        """Return the sums of all groups (r, m, places), and the place of each joint action (n,).

        None in place of the latter: each joint action has its own place.
        """
        sums = [level.sums(cells, inputs) for level in self.levels]
        if len(sums) == 1:
            return sums[0], self.levels[0].place_of
        total = sums[0].take(self.levels[0].place_of, axis=-1)
        for level, part in zip(self.levels[1:], sums[1:], strict=True):
            total += part.take(level.place_of, axis=-1)
        return total, None


def _level(groups: Sequence[CellGroup], axes: Axes, slots: Sequence[str]) -> CellLevel:
    places, place_of = axes.combine(slots)
    example = np.array([np.flatnonzero(place_of == place)[0] for place in range(len(places))], dtype=np.int64)
    return CellLevel(tuple(_term(group, axes, example) for group in groups), place_of)


def _term(group: CellGroup, axes: Axes, example: IntArray) -> _Term:
    """Return the term of a group at a level; ``example`` has a joint action of each place."""
    delay_of = axes.of["delay"][example]
    columns = group.start + group.cell_of[example]
    value_of = np.zeros_like(example) if group.axis is None else axes.of[group.axis][example]
    return _Term(columns - delay_of if group.moment else columns, group.number, value_of, group.moment, delay_of)
