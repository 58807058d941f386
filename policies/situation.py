"""A situation: everything that one trigger of one request is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from policies.budget import NOTHING_SPENT, Spent
from policies.request import Request
from policies.rows import TriggerRecord
from policies.rulebook import Rulebook
from policies.shopper import Send, ShopperState, counted_sends


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

    @cached_property
    def counted(self) -> tuple[Send, ...]:
        """The sends that count under the rules, this decision's own left out."""
        return tuple(counted_sends(self.state, self.request.now, but=self.request.event_id))

    def times(
        self, *, message: str | None = None, category: str | None = None, channel: str | None = None
    ) -> list[float]:
        """Give the times of the counted sends, of all or of one message, category or channel."""
        return [
            send.send_at
            for send in self.counted
            if (message is None or send.message == message)
            and (category is None or send.category == category)
            and (channel is None or send.channel == channel)
        ]

    @cached_property
    def local_minutes(self) -> tuple[int, ...]:
        """The local minute of the day at each send time."""
        local = (self._local(at) for at in self.send_times)
        return tuple(at.hour * 60 + at.minute for at in local)

    def local_day(self, at: float) -> int:
        """Number the shopper's local day of a time."""
        return self._local(at).toordinal()

    def local_week(self, at: float) -> int:
        """Number the shopper's local week of a time; weeks begin on Monday."""
        return (self.local_day(at) - 1) // 7  # ordinal 1 was a Monday

    def _local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, self._zone)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.state.time_zone or self.rulebook.catalogue.defaults.time_zone)
