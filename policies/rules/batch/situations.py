"""Many situations as arrays: row i of each array belongs to situation i."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from policies.arrays import FloatArray, IntArray
from policies.catalogue.document import Calendar
from policies.rules.batch.limit_table import LimitTable
from policies.rules.batch.numbering import Numbering
from policies.rules.batch.send_groups import SendGroups
from policies.rules.local_time import DAY_S, WEEK_S, local_seconds
from policies.rules.situation import Situation
from policies.shopper.state import Send


class SituationBatch:
    """Situations (n) under one catalogue, and the limits that hold in them; in each, a send could leave at d times."""

    def __init__(self, situations: Sequence[Situation], limits: LimitTable) -> None:
        self.situations = situations
        self.limits = limits
        self.numbering = Numbering.of(situations[0].rulebook)
        self.times: FloatArray = np.array([situation.send_times for situation in situations])
        """The send times, (n, d)."""

    @cached_property
    def minutes_of_week(self) -> IntArray:
        """The minute of each shopper's week at each send time, (n, d); 0 is Monday 00:00."""
        return np.asarray((self._local_times + 3 * DAY_S) % WEEK_S // 60, dtype=np.int64)

    @cached_property
    def groups(self) -> SendGroups:
        """The sends within reach that count under the rules, grouped by what the limits count."""
        return SendGroups.of(self._sends, self.numbering, self.limits.counted)

    def periods(self, calendar: Calendar) -> tuple[IntArray, IntArray]:
        """Return the shopper's local day, week or month at each send time (n, d), and of each send in the groups."""
        return _periods(self._local_days, calendar), _periods(self._local_days_of_sends[self.groups.send], calendar)

    @cached_property
    def _sends(self) -> list[list[Send]]:
        return [situation.sends_in_reach() for situation in self.situations]

    @cached_property
    def _local_times(self) -> FloatArray:
        return np.array([local_seconds(one.send_times, one.time_zone) for one in self.situations])

    @cached_property
    def _local_days(self) -> IntArray:
        return _days(self._local_times)

    @cached_property
    def _local_days_of_sends(self) -> IntArray:
        local_times: list[float] = []
        for situation, sends in zip(self.situations, self._sends, strict=True):
            local_times += local_seconds([send.send_at for send in sends], situation.time_zone)
        return _days(np.array(local_times, dtype=np.float64))


def _days(local_times: FloatArray) -> IntArray:
    return np.asarray(local_times // DAY_S, dtype=np.int64)


def _periods(days: IntArray, calendar: Calendar) -> IntArray:
    """Return numbers that are equal for the days of one period, and differ for those of two."""
    match calendar:
        case "month":
            return np.asarray(days.astype("datetime64[D]").astype("datetime64[M]"), dtype=np.int64)
        case "week":
            return (days + 3) // 7
    return days
