"""VerdictTable: what rules forbid, collected by the slots that each of them looks at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from policies.catalogue.action_space import ActionSpace
from policies.catalogue.rulebook import BoolArray

Row = list[bool]
"""Of each delay, whether a send after it is denied; empty where none is."""

Rows = Mapping[str, Row]
"""Rows by the name of a message, a category or a channel; names that the catalogue lacks deny nothing."""

Verdicts = NDArray[np.uint8]

_UNDENIED = 255
_ONE = np.uint8(1)
_RANKED = [bytes([_UNDENIED, (reason - 1) % 256]) + bytes(254) for reason in range(256)]
"""By reason: what makes ranks of a row, in which False is the byte 0 and True the byte 1."""


class VerdictTable:
    """The first reason that denies each joint action.

    Rules that look at one slot beside the delay fill short rows of ranks, which are laid over the joint actions
    once, at the end. A rank is a reason less one: as a byte the verdict 0, eligible, wraps to the greatest rank,
    so the least of several ranks is the first reason and no denial is no case of its own.

    Parameters
    ----------
    space
        The joint actions.
    delays
        How many send times are judged: as many as the space has delays, or one.
    """

    def __init__(self, space: ActionSpace, delays: int) -> None:
        self._space, self._delays = space, delays
        self._messages, self._channels, _ = space.shape
        self._undenied = bytes([_UNDENIED]) * delays
        self._rows = [self._undenied] * (self._messages + self._channels + 1)
        """Ranks of the messages, of the channels, and of everything."""
        self._slots: list[Verdicts] = []

    def by_delay(self, reason: int, row: Row) -> None:
        """Deny delays."""
        if True in row:
            self._lower(-1, _ranks(reason, row))

    def by_message(self, reason: int, rows: Rows) -> None:
        """Deny delays of messages."""
        self._lower_each(self._space.message_numbers, 0, reason, rows)

    def by_category(self, reason: int, rows: Rows) -> None:
        """Deny delays of the messages of categories."""
        self._lower_each(self._space.category_numbers, 0, reason, rows)

    def by_channel(self, reason: int, rows: Rows) -> None:
        """Deny delays of channels."""
        self._lower_each(self._space.channel_numbers, self._messages, reason, rows)

    def by_mask(self, reason: int, mask: BoolArray | None) -> None:
        """Deny slots: the mask broadcasts to (messages, channels, delays); None where none is denied."""
        if mask is not None:
            self._slots.append(np.where(mask, np.uint8(reason - 1), np.uint8(_UNDENIED)))

    def _lower_each(self, numbers: Mapping[str, Iterable[int]], first: int, reason: int, rows: Rows) -> None:
        for name, row in rows.items():
            if True in row:
                ranks = _ranks(reason, row)
                for number in numbers.get(name, ()):
                    self._lower(first + number, ranks)

    def _lower(self, number: int, ranks: bytes) -> None:
        """Write ranks into a row, where no lower ones stand."""
        standing = self._rows[number]
        self._rows[number] = ranks if standing == self._undenied else bytes(map(min, standing, ranks))

    def verdicts(self) -> Verdicts:
        """Give the verdicts (messages, channels, delays)."""
        rows = np.frombuffer(b"".join(self._rows), np.uint8).reshape(len(self._rows), self._delays)
        ranks: Verdicts = np.minimum(rows[: self._messages, None], np.minimum(rows[self._messages : -1], rows[-1]))
        for more in self._slots:
            np.minimum(ranks, more, out=ranks)
        ranks += _ONE
        return ranks


def _ranks(reason: int, row: Row) -> bytes:
    return bytes(row).translate(_RANKED[reason])
