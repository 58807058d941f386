"""The earliest time at which a request that found no eligible send would find one, if nothing else happens.

A rule whose denial ends by itself names the times at which this may be (`Rule.frees_at`). Only at such a time, less a
delay, can a joint action become free: the rules are asked at these times, the earliest span of time first. Two more
kinds of time matter, because the rules count other sends by the time of the decision: a deferred send stops to count
once it has expired, and `cap_global` counts how many sends lie ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor, inf
from typing import Any

import numpy as np
from msgspec.structs import replace

from policies.arrays import BoolArray
from policies.catalogue.rulebook import Rulebook
from policies.records.request import Request
from policies.records.rows import ACTIVATION_GRACE_S, TriggerRecord
from policies.rules import caps
from policies.rules.arbitration import arbitrate
from policies.rules.content import caller_exclusions
from policies.rules.rule import Rule
from policies.rules.rules import RULES
from policies.rules.situation import Situation, Surroundings
from policies.rules.windows import WEEK_S
from policies.shopper.retention import MAX_AHEAD
from policies.shopper.state import ShopperState, counted_sends

_TICKS_PER_S = 1_000_000
"""Times on the wire have microseconds; a time between two of them is rounded up."""

_DAY_S = 86_400.0
_FIRST_SPAN_S = _DAY_S
"""The first span of time that is searched; each later one is twice as long as the one before."""

_CAPS = frozenset(rule.denies for rule in caps.RULES)


@dataclass(frozen=True)
class _Search:
    """A request that is decided again at other times."""

    request: Request
    state: ShopperState
    rulebook: Rulebook
    surroundings: Surroundings

    @classmethod
    def of(cls, request: Request, state: ShopperState, rulebook: Rulebook, surroundings: Surroundings) -> _Search:
        """Begin a search; a trigger occurred when it did, whenever the request is decided."""
        triggers = tuple(replace(trigger, occurred_at=trigger.time(request.now)) for trigger in request.triggers)
        return cls(replace(request, triggers=triggers), state, rulebook, surroundings)

    @property
    def delays(self) -> tuple[int, ...]:
        return self.rulebook.space.delays_s

    def situation(self, now: float, trigger: TriggerRecord, send_times: tuple[float, ...]) -> Situation:
        """Return what a trigger is judged on where the request is decided at a time."""
        request, reach_s = replace(self.request, now=now), RULES.reach_s(self.rulebook)
        return Situation(request, trigger, self.state, self.rulebook, send_times, reach_s, self.surroundings)

    def has_send(self, now: float) -> bool:
        """Return whether the request has an eligible send where it is decided at a time."""
        request = replace(self.request, now=now)
        return bool(len(arbitrate(request, self.state, self.rulebook, self.surroundings).sends))

    def candidates(self, trigger: TriggerRecord) -> BoolArray:
        """Return the joint actions that no rule denies for good, shape (messages, channels, delays)."""
        space, now = self.rulebook.space, self.request.now
        candidates = np.zeros(space.shape, dtype=np.bool_)
        candidates.flat[space.cells] = self.rulebook.candidates[self.rulebook.trigger_numbers[trigger.type]]
        situation = self.situation(now, trigger, (now + self.delays[0],))
        excluded = caller_exclusions(situation)
        if excluded is not None:
            candidates &= ~excluded
        return candidates & RULES.allows(situation, _lasts)

    def end(self) -> float:
        """Return the time before which all times lie that are worth a look.

        At this time every trigger has expired, or all later days are alike. A send may leave at the very expiry.
        """
        expires_at = max(trigger.expires_at for trigger in self.request.triggers)
        counted = [send.send_at + RULES.reach_s(self.rulebook) for send in self.state.sends]
        budget_days = [(day + 1) * _DAY_S for _, day in self.surroundings.spent]
        return _tick_after(min(expires_at, max([self.request.now, *counted, *budget_days]) + WEEK_S + _DAY_S))

    def spans(self) -> Iterator[tuple[float, float]]:
        """Yield the spans of time in which the same sends count, in order; long ones are yielded in parts."""
        now, last_end = self.request.now, self.end()
        turns = sorted({turn for turn in self._turns() if now < turn < last_end})
        length_s = _FIRST_SPAN_S
        for begin, end in zip([now, *turns], [*turns, inf], strict=True):
            while begin < min(end, last_end):
                yield begin, min(end, begin + length_s)
                begin, length_s = min(end, begin + length_s), 2 * length_s

    def _turns(self) -> Iterator[float]:
        """Yield the times at which other sends stop to count."""
        now = self.request.now
        others = [*counted_sends(self.state, now, but=self.request.event_id)]
        yield from (_tick_after(send.send_at + ACTIVATION_GRACE_S) for send in others if send.deferred)
        ahead = sorted((send.send_at for send in others if send.send_at > now), reverse=True)
        if len(ahead) >= MAX_AHEAD:
            yield _tick_at(ahead[MAX_AHEAD - 1])

    def first_between(
        self, begin: float, end: float, trigger: TriggerRecord, candidates: BoolArray
    ) -> tuple[float, bool]:
        """Return the first time of a span at which a candidate of a trigger is free, ``inf`` where there is none.

        Also return whether this time plus the delay is exactly the send time that the rules have allowed.
        """
        times = self._send_times(begin, end, trigger)
        if not times:
            return inf, False
        # The caps are asked first: where no send is found, a cap is the reason most often.
        situation, pairs = self.situation(begin, trigger, times), candidates.any(axis=2, keepdims=True)
        free = pairs & RULES.allows(situation, _is_cap)
        if not free.any():
            return inf, False
        free &= RULES.allows(situation, _is_no_cap)
        send_times, delays = np.array(times), np.array(self.delays, dtype=np.float64)[:, None]
        decided_at = send_times - delays
        possible = (free[:, :, None] & candidates[..., None]).any(axis=(0, 1))
        possible &= (decided_at >= begin) & (decided_at < end)
        if not possible.any():
            return inf, False
        first = decided_at[possible].min()
        return float(first), bool((possible & (decided_at == first) & (first + delays == send_times)).any())

    def _send_times(self, begin: float, end: float, trigger: TriggerRecord) -> tuple[float, ...]:
        """Return the send times at which a joint action may become free, where it is decided within a span."""
        first, last = begin + self.delays[0], min(end + self.delays[-1], trigger.expires_at)
        if first > last:
            return ()
        around = self.situation(begin, trigger, (first, last))
        times = {begin + delay for delay in self.delays}
        for at in RULES.times_that_free(around, first, last):
            if first <= at <= last:
                times.update((_tick_at(at), _tick_after(at)))
        return tuple(sorted(times))


def next_possible_at(
    request: Request, state: ShopperState, rulebook: Rulebook, surroundings: Surroundings
) -> float | None:
    """Return the earliest time from ``request.now`` on at which the request would have an eligible send.

    None where there is no such time before every trigger has expired.
    """
    search = _Search.of(request, state, rulebook, surroundings)
    candidates = [(trigger, search.candidates(trigger)) for trigger in search.request.triggers]
    candidates = [(trigger, free) for trigger, free in candidates if free.any()]
    if not candidates:
        return None
    for begin, end in search.spans():
        first, is_exact = min(search.first_between(begin, end, trigger, free) for trigger, free in candidates)
        if is_exact:
            return first
        if first < inf:
            # A send time less a delay, plus the delay, may be less than the send time by a rounding error.
            return next((at for at in _ticks_from(first) if search.has_send(at)), None)
    return None


def _ticks_from(at: float) -> Iterator[float]:
    yield at
    yield _tick_after(at)
    yield _tick_after(_tick_after(at))


def _tick_at(at: float) -> float:
    """Return the first whole microsecond at or after a time."""
    return ceil(at * _TICKS_PER_S) / _TICKS_PER_S


def _tick_after(at: float) -> float:
    """Return the first whole microsecond after a time."""
    return (floor(at * _TICKS_PER_S) + 1) / _TICKS_PER_S


def _lasts(rule: Rule[Any]) -> bool:
    return rule.frees_at is None and rule.denies is not caller_exclusions


def _is_cap(rule: Rule[Any]) -> bool:
    return rule.denies in _CAPS


def _is_no_cap(rule: Rule[Any]) -> bool:
    return rule.denies is not caller_exclusions and rule.denies not in _CAPS
