"""The smallest rank of the rules that deny a send, in many situations at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from policies.arrays import BoolArray, ByteArray, IntArray
from policies.catalogue.document import Calendar
from policies.rules.batch.limit_table import LimitColumns
from policies.rules.batch.situations import SituationBatch
from policies.rules.verdicts import NOT_DENIED


class BatchRanks:
    """Ranks by situation, name and send time, (n, N, d): the smallest rank that was written.

    Rules write by the numbers of `Numbering`. At the end, `lower` takes the ranks over into the rows of verdict tables.
    """

    def __init__(self, batch: SituationBatch) -> None:
        self.batch = batch
        count, delays = batch.times.shape
        self._ranks: ByteArray = np.full((count, len(batch.numbering), delays), NOT_DENIED, dtype=np.uint8)

    def by_delay(self, rank: int, denied: BoolArray) -> None:
        """Deny delays: ``denied`` is (n, d)."""
        part = self._ranks[:, self.batch.numbering.all]
        np.minimum(part, np.uint8(rank), out=part, where=denied)

    def by_channel(self, rank: int, denied: BoolArray) -> None:
        """Deny delays of channels: ``denied`` is (n, channels, d)."""
        last = self.batch.numbering.all
        part = self._ranks[:, last - denied.shape[1] : last]
        np.minimum(part, np.uint8(rank), out=part, where=denied)

    def by_limits(self) -> None:
        """Deny what the limits deny."""
        limits, groups = self.batch.limits, self.batch.groups
        largest = np.bincount(groups.group).max(initial=0)
        for calendar, of_calendar in limits.periods.items():
            if of_calendar.most.min() <= largest:
                self._deny_periods(calendar, of_calendar)
        if len(limits.windows.rank) and largest:
            sends, numbers = limits.windows.pair(groups.name)
            self.by_windows(limits.windows, sends, numbers, limits.windows.most.take(numbers))

    def by_windows(self, limits: LimitColumns, first: IntArray, numbers: IntArray, most: IntArray) -> None:
        """Deny the send times around windows that have ``most`` sends: see `Limit`.

        The windows begin with the sends at positions ``first`` of the groups; ``numbers`` are those of their limits.
        """
        groups = self.batch.groups
        last = first + (most - 1)
        places = (last < len(groups.at)).nonzero()[0]
        first, last, numbers = first[places], last[places], numbers[places]
        length_s = groups.at[last] - groups.at[first]
        places = ((groups.group[first] == groups.group[last]) & (length_s < limits.longest_s[numbers])).nonzero()[0]
        first, last, numbers = first[places], last[places], numbers[places]
        low, before_s = groups.at[last], limits.before_s[numbers]
        high, after_s = groups.at[first], limits.after_s[numbers]
        low, high = low - before_s, high + after_s
        np.nextafter(low, -np.inf, out=low, where=before_s == 0)
        np.nextafter(high, np.inf, out=high, where=after_s == 0)
        situations = groups.situation[first]
        times = self.batch.times[situations]
        places, delays = ((low[:, None] < times) & (times < high[:, None])).nonzero()
        self._deny(situations[places], limits, numbers[places], delays)

    def _deny_periods(self, calendar: Calendar, limits: LimitColumns) -> None:
        """Deny the send times in days, weeks or months that have as many sends as a limit allows."""
        groups, (periods, of_sends) = self.batch.groups, self.batch.periods(calendar)
        is_same = of_sends[:, None] == periods[groups.situation]
        cells = (groups.group[:, None] * periods.shape[1] + np.arange(periods.shape[1]))[is_same]
        sent = np.bincount(cells, minlength=self._ranks.size).reshape(self._ranks.shape)
        situations, numbers, delays = (sent.take(limits.counted, axis=1) >= limits.most[:, None]).nonzero()
        self._deny(situations, limits, numbers, delays)

    def _deny(self, situations: IntArray, limits: LimitColumns, numbers: IntArray, delays: IntArray) -> None:
        _, names, width = self._ranks.shape
        cells = (situations * names + limits.denied[numbers]) * width + delays
        np.minimum.at(self._ranks.reshape(-1), cells, limits.rank[numbers])

    def lower(self, rows: ByteArray) -> None:
        """Lower the rows of verdict tables (n, rows, d) to the ranks that are smaller: see `VerdictTable.rows`."""
        ranks, numbering, messages = self._ranks, self.batch.numbering, len(self.batch.numbering.messages)
        first = messages + len(numbering.categories)
        of_categories = ranks.take(numbering.category_of, axis=1)
        for part, smaller in (
            (rows[:, :messages], np.minimum(ranks[:, :messages], of_categories)),
            (rows[:, messages:], ranks[:, first : numbering.all + 1]),
        ):
            np.minimum(part, smaller, out=part)


BatchForm = Callable[[BatchRanks, int], None]
"""How a rule writes with its rank what it denies in many situations."""
