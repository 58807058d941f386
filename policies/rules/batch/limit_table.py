"""The limits of a catalogue as arrays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from policies.arrays import BoolArray, ByteArray, FloatArray, IntArray
from policies.catalogue.document import Calendar
from policies.rules.batch.limit import Limit, RankedLimits
from policies.rules.batch.numbering import Numbering


@dataclass(frozen=True, eq=False)
class LimitColumns:
    """Limits (l) in the order of the names that they count, with the ranks of their rules.

    ``first`` and ``count`` say by the number of a name which limits count it.
    """

    rank: ByteArray
    counted: IntArray
    denied: IntArray
    most: IntArray
    before_s: FloatArray
    after_s: FloatArray
    longest_s: FloatArray
    first: IntArray
    count: IntArray

    @classmethod
    def of(cls, limits: RankedLimits, numbering: Numbering) -> LimitColumns:
        """Arrange limits."""
        limits = sorted(limits, key=lambda ranked: numbering.number(ranked[1].counted))
        counted = np.array([numbering.number(limit.counted) for _, limit in limits], dtype=np.int64)
        before_s = np.array([limit.before_s for _, limit in limits], dtype=np.float64)
        after_s = np.array([limit.after_s for _, limit in limits], dtype=np.float64)
        count = np.bincount(counted, minlength=len(numbering))
        return cls(
            rank=np.array([rank for rank, _ in limits], dtype=np.uint8),
            counted=counted,
            denied=np.array([numbering.number(limit.denied) for _, limit in limits], dtype=np.int64),
            most=np.array([limit.most for _, limit in limits], dtype=np.int64),
            before_s=before_s,
            after_s=after_s,
            longest_s=np.maximum(before_s, after_s),
            first=np.cumsum(count) - count,
            count=count,
        )

    def pair(self, names: IntArray) -> tuple[IntArray, IntArray]:
        """Return each pair of a position in a list of names, and a limit that counts the name there."""
        counts = self.count.take(names)
        positions = np.arange(len(names)).repeat(counts)
        firsts = self.first.take(names) - (np.cumsum(counts) - counts)
        return positions, np.arange(len(positions)) + firsts.repeat(counts)


@dataclass(frozen=True, eq=False)
class LimitTable:
    """The limits on windows, and those by calendar.

    ``counted`` (N,) says which names a limit counts; the number of all sends is always among them.
    """

    counted: BoolArray
    windows: LimitColumns
    periods: Mapping[Calendar, LimitColumns]

    @classmethod
    def of(cls, limits: RankedLimits, numbering: Numbering) -> LimitTable:
        """Arrange limits with the ranks of their rules."""
        counted = np.zeros(len(numbering), dtype=np.bool_)
        counted[[numbering.all, *[numbering.number(limit.counted) for _, limit in limits]]] = True
        periods: dict[Calendar, list[tuple[int, Limit]]] = defaultdict(list)
        for rank, limit in limits:
            if limit.calendar is not None:
                periods[limit.calendar].append((rank, limit))
        windows = [(rank, limit) for rank, limit in limits if limit.calendar is None]
        return cls(
            counted,
            LimitColumns.of(windows, numbering),
            {calendar: LimitColumns.of(some, numbering) for calendar, some in periods.items()},
        )
