"""Denials: what rules forbid, collected by the slots that each of them looks at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from policies.actions import ActionSpace
from policies.rulebook import BoolArray

Row = list[bool]
"""Of each delay, whether a send after it is denied; empty where none is."""

Rows = Mapping[str, Row]
"""Rows by the name of a message, a category or a channel; names that the catalogue lacks deny nothing."""

Verdicts = NDArray[np.uint8]

_UNDENIED = 255


class Denials:
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
        self._space = space
        self._undenied = bytes([_UNDENIED]) * delays
        self._of_delay = self._undenied
        self._of_message: dict[int, bytes] = {}
        self._of_channel: dict[int, bytes] = {}
        self._of_slots: list[Verdicts] = []

    def by_delay(self, reason: int, row: Row) -> None:
        """Deny delays."""
        if True in row:
            self._of_delay = _lowered(self._of_delay, reason, row)

    def by_message(self, reason: int, rows: Rows) -> None:
        """Deny delays of messages."""
        self._lower(self._of_message, self._space.message_numbers, reason, rows)

    def by_category(self, reason: int, rows: Rows) -> None:
        """Deny delays of the messages of categories."""
        self._lower(self._of_message, self._space.category_numbers, reason, rows)

    def by_channel(self, reason: int, rows: Rows) -> None:
        """Deny delays of channels."""
        self._lower(self._of_channel, self._space.channel_numbers, reason, rows)

    def by_mask(self, reason: int, mask: BoolArray | None) -> None:
        """Deny slots: the mask broadcasts to (messages, channels, delays); None where none is denied."""
        if mask is not None:
            self._of_slots.append(np.where(mask, np.uint8(reason - 1), np.uint8(_UNDENIED)))

    def _lower(self, ranks: dict[int, bytes], numbers: Mapping[str, Iterable[int]], reason: int, rows: Rows) -> None:
        for name, row in rows.items():
            for number in numbers.get(name, ()) if True in row else ():
                ranks[number] = _lowered(ranks.get(number, self._undenied), reason, row)

    def verdicts(self) -> Verdicts:
        """Give the verdicts (messages, channels, delays)."""
        messages, channels, _ = self._space.shape
        of_message, of_channel = self._table(self._of_message, messages), self._table(self._of_channel, channels)
        narrowed = np.minimum(of_channel, np.frombuffer(self._of_delay, np.uint8))
        ranks: Verdicts = np.minimum(of_message[:, None], narrowed)
        for more in self._of_slots:
            np.minimum(ranks, more, out=ranks)
        ranks += np.uint8(1)
        return ranks

    def _table(self, rows: Mapping[int, bytes], count: int) -> Verdicts:
        joined = b"".join([rows.get(number, self._undenied) for number in range(count)])
        return np.frombuffer(joined, np.uint8).reshape(count, -1)


def _lowered(ranks: bytes, reason: int, row: Row) -> bytes:
    """Write a reason where a row denies and none was given before: rules are asked in the order of the reasons."""
    return bytes(
        [reason - 1 if denied and rank == _UNDENIED else rank for rank, denied in zip(ranks, row, strict=True)]
    )
