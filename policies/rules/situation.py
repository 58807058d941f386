"""A situation: everything that one trigger of one request is judged on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from policies.catalogue.rulebook import Rulebook
from policies.records.request import Request
from policies.records.rows import TriggerRecord
from policies.rules.budget import NOTHING_SPENT, Spent
from policies.rules.local_time import local_days, local_months, local_seconds, local_weeks, minutes_of_week
from policies.shopper.context import find_locale, find_time_zone
from policies.shopper.retention import MAX_AHEAD
from policies.shopper.state import Send, ShopperState, counted_sends

TimesByName = Mapping[str, Sequence[float]]
"""Send times, in order, by the name of a message, category or channel."""


class Surroundings(msgspec.Struct, frozen=True):
    """What a decision rests on beside the shopper's own state.

    ``spent`` is the cost of each channel's sends by UTC day; ``held_out`` says whether the shopper gets no
    notification except critical ones.
    """

    spent: Spent
    held_out: bool = False


NOTHING_ELSE = Surroundings(NOTHING_SPENT)


@dataclass(frozen=True)
class SendTimes:
    """The times of sends, in order: all of them, and by message, category and channel."""

    times: list[float]
    by_message: TimesByName
    by_category: TimesByName
    by_channel: TimesByName

    @classmethod
    def of(cls, sends: Iterable[Send]) -> SendTimes:
        """Group sends, which are in order of time."""
        times: list[float] = []
        messages, categories, channels = defaultdict(list), defaultdict(list), defaultdict(list)
        for send in sends:
            at = send.send_at
            times.append(at)
            messages[send.message].append(at)
            categories[send.category].append(at)
            channels[send.channel].append(at)
        return cls(times, messages, categories, channels)


class Situation(msgspec.Struct, frozen=True, eq=False, dict=True):
    """One trigger, the shopper's state, the catalogue, and the times at which a send could leave.

    ``send_times`` are epoch seconds in order: one per delay of the catalogue, or a single one for the activation
    gate. ``reach_s`` is how far from them the rules look (see `RuleTable.reach_s`).
    """

    request: Request
    trigger: TriggerRecord
    state: ShopperState
    rulebook: Rulebook
    send_times: tuple[float, ...]
    reach_s: float
    surroundings: Surroundings = NOTHING_ELSE

    @property
    def locale(self) -> str:
        """The locale of the content (see `find_locale`)."""
        return find_locale(self.request.context, self.state, self.rulebook.catalogue)

    @property
    def always(self) -> list[bool]:
        """The delay mask that denies a send at every send time."""
        return [True] * len(self.send_times)

    def sends_in_reach(self) -> list[Send]:
        """Return the sends within reach that count under the rules, without this decision's own, in order of time."""
        begin, end = self.send_times[0] - self.reach_s, self.send_times[-1] + self.reach_s
        sends = counted_sends(self.state, self.request.now, but=self.request.event_id)
        return [send for send in sends if begin < send.send_at < end]

    @property
    def is_crowded(self) -> bool:
        """Whether `MAX_AHEAD` other sends have a send time in the future."""
        if len(self.state.sends) < MAX_AHEAD:
            return False
        others = counted_sends(self.state, self.request.now, but=self.request.event_id)
        return sum(send.send_at > self.request.now for send in others) >= MAX_AHEAD

    @cached_property
    def other_sends(self) -> SendTimes:
        """The times of the sends within reach."""
        return SendTimes.of(self.sends_in_reach())

    @cached_property
    def local_times(self) -> list[float]:
        """The time on the shopper's clock at each send time (see `local_seconds`)."""
        return local_seconds(self.send_times, self.time_zone)

    @cached_property
    def minutes_of_week(self) -> list[int]:
        """The minute of the shopper's week at each send time; 0 is Monday 00:00."""
        return minutes_of_week(self.local_times)

    @cached_property
    def local_days(self) -> Mapping[float, int]:
        """The shopper's local day at each send time and at the time of each other send."""
        others = self.other_sends.times
        local_times = (*self.local_times, *local_seconds(others, self.time_zone))
        return dict(zip((*self.send_times, *others), local_days(local_times), strict=True))

    @cached_property
    def local_weeks(self) -> Mapping[float, int]:
        """The shopper's local week at each send time and at the time of each other send."""
        return dict(zip(self.local_days, local_weeks(self.local_days.values()), strict=True))

    @cached_property
    def local_months(self) -> Mapping[float, int]:
        """The shopper's local month at each send time and at the time of each other send."""
        return dict(zip(self.local_days, local_months(self.local_days.values()), strict=True))

    @property
    def time_zone(self) -> str:
        """The time zone of the decision (see `find_time_zone`)."""
        return find_time_zone(self.request.context, self.state, self.rulebook.catalogue)
