"""A situation: everything that one trigger of one request is judged on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from policies.catalogue.rulebook import Rulebook
from policies.records.request import Request
from policies.records.rows import TriggerRecord
from policies.rules.budget import NOTHING_SPENT, Spent
from policies.rules.local_time import local_days, local_minutes, local_seconds, local_weeks
from policies.shopper.state import Send, ShopperState, counted_sends

Times = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Surroundings:
    """What a decision rests on beside the shopper's own state.

    ``spent`` is what the channels have cost so far; ``held_out`` whether the shopper gets no notifications
    but critical ones.
    """

    spent: Spent
    held_out: bool = False


NOTHING_ELSE = Surroundings(NOTHING_SPENT)


@dataclass(frozen=True)
class Taken:
    """The times of sends, in order: all of them, and by message, category and channel."""

    times: list[float]
    by_message: Times
    by_category: Times
    by_channel: Times

    @classmethod
    def between(cls, begin: float, end: float, sends: Iterable[Send]) -> Taken:
        """Group the sends, given in order, that lie between two times."""
        times: list[float] = []
        messages, categories, channels = defaultdict(list), defaultdict(list), defaultdict(list)
        for send in sends:
            at = send.send_at
            if begin < at < end:
                times.append(at)
                messages[send.message].append(at)
                categories[send.category].append(at)
                channels[send.channel].append(at)
        return cls(times, messages, categories, channels)


@dataclass(frozen=True)
class Situation:
    """One trigger, the shopper's state, the rules, and when a send could leave.

    ``send_times`` are epoch seconds, one per delay of the catalogue; the activation gate asks about a single
    one.
    """

    request: Request
    trigger: TriggerRecord
    state: ShopperState
    rulebook: Rulebook
    send_times: tuple[float, ...]
    surroundings: Surroundings = NOTHING_ELSE

    @classmethod
    def of(
        cls,
        request: Request,
        trigger: TriggerRecord,
        state: ShopperState,
        rulebook: Rulebook,
        surroundings: Surroundings = NOTHING_ELSE,
    ) -> Situation:
        """Look at a request: it could be sent after each delay of the catalogue."""
        times = tuple(request.now + delay for delay in rulebook.space.delays_s)
        return cls(request, trigger, state, rulebook, times, surroundings)

    @property
    def locale(self) -> str:
        """The shopper's locale, as far as it is known."""
        told = self.request.context.get("locale")
        return told if isinstance(told, str) else self.state.locale or self.rulebook.catalogue.defaults.locale

    @property
    def always(self) -> list[bool]:
        """What denies a send whatever its delay."""
        return [True] * len(self.send_times)

    @cached_property
    def taken(self) -> Taken:
        """The sends that count under the rules, this decision's own and those out of every rule's reach left out."""
        reach_s = self.rulebook.reach_s
        sends = counted_sends(self.state, self.request.now, but=self.request.event_id)
        return Taken.between(self.send_times[0] - reach_s, self.send_times[-1] + reach_s, sends)

    @cached_property
    def local_times(self) -> list[float]:
        """What the shopper's clock shows at each send time (see `local_seconds`)."""
        return local_seconds(self.send_times, self.time_zone)

    @cached_property
    def local_minutes(self) -> list[int]:
        """The local minute of the day at each send time."""
        return local_minutes(self.local_times)

    @cached_property
    def local_days(self) -> Mapping[float, int]:
        """The shopper's local day of each send time and of each counted send."""
        times = (*self.send_times, *self.taken.times)
        shown = (*self.local_times, *local_seconds(self.taken.times, self.time_zone))
        return dict(zip(times, local_days(shown), strict=True))

    @cached_property
    def local_weeks(self) -> Mapping[float, int]:
        """The shopper's local week of each send time and of each counted send."""
        return dict(zip(self.local_days, local_weeks(self.local_days.values()), strict=True))

    @property
    def time_zone(self) -> str:
        """The shopper's time zone."""
        return self.state.time_zone or self.rulebook.catalogue.defaults.time_zone
