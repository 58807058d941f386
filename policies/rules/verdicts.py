"""Verdict tables: the first rule that denies each joint action, collected slot by slot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from policies.arrays import BoolArray, ByteArray
from policies.catalogue.action_space import ActionSpace

DelayMask = list[bool]
"""Whether a rule denies a send, for each delay; an empty list denies none."""

DelayMasks = Mapping[str, DelayMask]
"""Delay masks by the name of a message, category or channel. Names that the catalogue lacks have no effect."""

NOT_DENIED = 255
"""The rank of a joint action that no rule denies."""

_RANKS_OF_MASK = [bytes([NOT_DENIED, rank]) + bytes(254) for rank in range(256)]
"""For each rank, the table for `bytes.translate` that turns a mask into ranks: False is byte 0, True is byte 1."""


def any_of(masks: list[DelayMask]) -> DelayMask:
    """Return the mask that denies what at least one of the masks denies.

    >>> any_of([[True, False], [False, False]]), any_of([])
    ([True, False], [])
    """
    if len(masks) > 1:
        return [*map(any, zip(*masks, strict=True))]
    return masks[0] if masks else []


class VerdictTable:
    """The smallest rank that was written for each joint action, `NOT_DENIED` where there is none.

    A rank is a number from 0 to 254; the smaller rank wins. Most rules look at the delay and one other slot.
    Such a rule writes its rank into one short row per message or channel (one byte per delay). At the end, `lay_out`
    lays the rows of many tables over the joint actions. The test of this class says the same in ten plain lines.

    Parameters
    ----------
    space
        The joint actions.
    delays
        The number of send times: one per delay of the space, or a single one.
    """

    def __init__(self, space: ActionSpace, delays: int) -> None:
        self._space, self._delays = space, delays
        self._messages, self._channels, _ = space.shape
        self._not_denied = bytes([NOT_DENIED]) * delays
        self.rows = [self._not_denied] * (self._messages + self._channels + 1)
        """One row of ranks per message, then one per channel, then one for all joint actions."""
        self.grids: list[tuple[int, BoolArray]] = []
        """The ranks and masks that were written by slots."""

    def by_delay(self, rank: int, mask: DelayMask) -> None:
        """Deny delays."""
        if True in mask:
            self._lower(-1, _ranks(rank, mask))

    def by_message(self, rank: int, masks: DelayMasks) -> None:
        """Deny delays of messages."""
        self._lower_all(self._space.message_numbers, 0, rank, masks)

    def by_category(self, rank: int, masks: DelayMasks) -> None:
        """Deny delays of the messages of categories."""
        self._lower_all(self._space.category_numbers, 0, rank, masks)

    def by_channel(self, rank: int, masks: DelayMasks) -> None:
        """Deny delays of channels."""
        self._lower_all(self._space.channel_numbers, self._messages, rank, masks)

    def by_slots(self, rank: int, mask: BoolArray | None) -> None:
        """Deny slots: the mask broadcasts to (messages, channels, delays); None denies nothing."""
        if mask is not None:
            self.grids.append((rank, mask))

    def _lower_all(self, numbers: Mapping[str, Iterable[int]], first: int, rank: int, masks: DelayMasks) -> None:
        for name, mask in masks.items():
            if True in mask:
                ranks = _ranks(rank, mask)
                for number in numbers.get(name, ()):
                    self._lower(first + number, ranks)

    def _lower(self, number: int, ranks: bytes) -> None:
        """Write ranks into a row where they are smaller than the ranks already there."""
        row = self.rows[number]
        self.rows[number] = ranks if row == self._not_denied else bytes(map(min, row, ranks))

    def ranks(self) -> ByteArray:
        """Return the smallest ranks, shape (messages, channels, delays)."""
        rows = np.frombuffer(b"".join(self.rows), np.uint8).reshape(len(self.rows), self._delays)
        ranks: ByteArray = np.minimum(rows[: self._messages, None], np.minimum(rows[self._messages : -1], rows[-1]))
        for rank, mask in self.grids:
            np.minimum(ranks, _grid(rank, mask), out=ranks)
        return ranks


def stack(tables: Sequence[VerdictTable]) -> ByteArray:
    """Return the rows of tables with equally many send times, shape (tables, rows, send times)."""
    first = tables[0].rows
    rows = bytearray().join([row for table in tables for row in table.rows])
    return np.frombuffer(rows, np.uint8).reshape(len(tables), len(first), -1)


def lay_out(rows: ByteArray, tables: Sequence[VerdictTable], space: ActionSpace) -> ByteArray:
    """Return the smallest ranks of the joint actions in each table, shape (tables, n).

    ``rows`` are those of the tables (see `stack`), lowered further or not. The tables have one send time per delay of
    the space.
    """
    flat = rows.reshape(len(rows), -1)
    by_message, by_channel, by_delay = (flat.take(cells, axis=1) for cells in space.row_cells)
    ranks: ByteArray = np.minimum(by_message, np.minimum(by_channel, by_delay))
    for rank, mask, numbers in _grids(tables):
        grid = np.broadcast_to(_grid(rank, mask), space.shape)
        ranks[numbers] = np.minimum(ranks[numbers], grid.reshape(-1).take(space.cells))
    return ranks


def _grids(tables: Sequence[VerdictTable]) -> Iterable[tuple[int, BoolArray, list[int]]]:
    """Return each mask that was written by slots once, with its rank and the numbers of the tables that have it."""
    grids: dict[tuple[int, int], tuple[int, BoolArray, list[int]]] = {}
    for number, table in enumerate(tables):
        for rank, mask in table.grids:
            grids.setdefault((rank, id(mask)), (rank, mask, []))[2].append(number)
    return grids.values()


def _grid(rank: int, mask: BoolArray) -> ByteArray:
    return np.where(mask, np.uint8(rank), np.uint8(NOT_DENIED))


def _ranks(rank: int, mask: DelayMask) -> bytes:
    return bytes(mask).translate(_RANKS_OF_MASK[rank])
