"""The earliest time at which a request that found no eligible send would find one, if nothing else happens.

A rule whose denial ends by itself names the times at which this may be (`Rule.frees_at`). Only at such a time, less a
delay, can a joint action become free: the rules are asked at these times, the earliest first. Two more kinds of time
matter, because the rules count other sends by the time of the decision: a deferred send stops to count once it has
expired, and `cap_global` counts how many sends lie ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, floor, inf
from typing import Any

import numpy as np
from msgspec.structs import replace

from policies.arrays import BoolArray
from policies.catalogue.rulebook import Rulebook
from policies.records.request import Request
from policies.records.rows import ACTIVATION_GRACE_S, TriggerRecord
from policies.rules.arbitration import arbitrate
from policies.rules.content import caller_exclusions
from policies.rules.rule import Rule
from policies.rules.rules import RULES
from policies.rules.situation import Situation, Surroundings
from policies.rules.verdicts import VerdictTable
from policies.rules.windows import WEEK_S
from policies.shopper.retention import MAX_AHEAD
from policies.shopper.state import ShopperState, counted_sends

_TICKS_PER_S = 1_000_000
"""Times on the wire have microseconds; a time between two of them is rounded up."""

_DAY_S = 86_400.0
_FIRST_PART_S = _DAY_S
"""The first part of a span in which all rules are asked; each later one is twice as long as the one before."""


@dataclass(frozen=True)
class _Candidates:
    """The joint actions for a trigger that no rule denies for good.

    ``pairs`` (messages, channels) says which message and channel go together with some delay; ``delays`` (p, delays)
    says for each pair with which delays.
    """

    trigger: TriggerRecord
    pairs: BoolArray
    delays: BoolArray

    @classmethod
    def of(cls, trigger: TriggerRecord, free: BoolArray) -> _Candidates:
        """Arrange the joint actions (messages, channels, delays) by pairs."""
        pairs = np.asarray(free.any(axis=2))
        return cls(trigger, pairs, free[pairs])


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
    def delays_s(self) -> tuple[int, ...]:
        return self.rulebook.space.delays_s

    @cached_property
    def candidates(self) -> list[_Candidates]:
        """The joint actions that may be sent at some time, for each trigger that has any."""
        candidates = [(trigger, self._joint_actions(trigger)) for trigger in self.request.triggers]
        return [_Candidates.of(trigger, free) for trigger, free in candidates if free.any()]

    def _joint_actions(self, trigger: TriggerRecord) -> BoolArray:
        """Return the joint actions that no rule denies for good, shape (messages, channels, delays)."""
        space, now = self.rulebook.space, self.request.now
        free = np.zeros(space.shape, dtype=np.bool_)
        free.flat[space.cells] = self.rulebook.candidates[self.rulebook.trigger_numbers[trigger.type]]
        situation = self.situation(now, trigger, (now + self.delays_s[0],))
        excluded = caller_exclusions(situation)
        if excluded is not None:
            free &= ~excluded
        return free & RULES.allows(situation, _lasts)

    def situation(self, now: float, trigger: TriggerRecord, send_times: tuple[float, ...]) -> Situation:
        """Return what a trigger is judged on where the request is decided at a time."""
        request, reach_s = replace(self.request, now=now), RULES.reach_s(self.rulebook)
        return Situation(request, trigger, self.state, self.rulebook, send_times, reach_s, self.surroundings)

    def has_send(self, now: float) -> bool:
        """Return whether the request has an eligible send where it is decided at a time."""
        request = replace(self.request, now=now)
        return bool(len(arbitrate(request, self.state, self.rulebook, self.surroundings).sends))

    def end(self) -> float:
        """Return the time before which all times lie that are worth a look.

        At this time every trigger has expired, or all later days are alike. A send may leave at the very expiry.
        """
        expires_at = max(trigger.expires_at for trigger in self.request.triggers)
        reach_s = RULES.reach_s(self.rulebook)
        counted = [send.send_at + reach_s for send in self.state.sends]
        budget_days = [(day + 1) * _DAY_S for _, day in self.surroundings.spent]
        return _tick_after(min(expires_at, max([self.request.now, *counted, *budget_days]) + WEEK_S + _DAY_S))

    def spans(self) -> Iterator[tuple[float, float]]:
        """Yield the spans of time in which the same sends count, in order."""
        now, end = self.request.now, self.end()
        turns = sorted({turn for turn in self._turns() if now < turn < end})
        return pairwise([now, *turns, end])

    def _turns(self) -> Iterator[float]:
        """Yield the times at which other sends stop to count."""
        now = self.request.now
        others = [*counted_sends(self.state, now, but=self.request.event_id)]
        yield from (_tick_after(send.send_at + ACTIVATION_GRACE_S) for send in others if send.deferred)
        ahead = sorted((send.send_at for send in others if send.send_at > now), reverse=True)
        if len(ahead) >= MAX_AHEAD:
            yield _tick_at(ahead[MAX_AHEAD - 1])

    def first_between(self, begin: float, end: float) -> tuple[float, bool]:
        """Return the first time of a span at which the request has an eligible send, ``inf`` where there is none.

        Also return whether this time plus the delay is exactly the send time that the rules have allowed.

        What denies a send is most often a rule that denies all joint actions alike. So these rules are asked first,
        about the whole span, and all rules only from the time on that they leave open.
        """
        earliest, length_s = self._opens_at(begin, end), _FIRST_PART_S
        while earliest < end:
            first, is_exact = self._first_of_part(earliest, min(end, earliest + length_s))
            if first < inf:
                return first, is_exact
            earliest, length_s = earliest + length_s, 2 * length_s
        return inf, False

    def _opens_at(self, begin: float, end: float) -> float:
        """Return the first time of a span at which no rule denies all joint actions alike, ``inf`` if there is none."""
        opens_at = inf
        for trigger in self.request.triggers:
            situation = self._situation_between(begin, end, trigger, _denies_all_alike)
            if situation is not None:
                denied = RULES.denied_times(situation, _denies_all_alike)
                allowed = (at for at in situation.send_times if at not in denied)
                decided_at = (at - delay for at in allowed for delay in self.delays_s)
                opens_at = min(opens_at, min((at for at in decided_at if begin <= at < end), default=inf))
        return opens_at

    def _first_of_part(self, begin: float, end: float) -> tuple[float, bool]:
        """Return the same as `first_between` for a part of the span: all rules are asked about the whole part."""
        firsts = [self._first_for(candidates, begin, end) for candidates in self.candidates]
        return min(firsts, default=(inf, False))

    def _first_for(self, candidates: _Candidates, begin: float, end: float) -> tuple[float, bool]:
        situation = self._situation_between(begin, end, candidates.trigger, _ends)
        if situation is None:
            return inf, False
        send_times, delays = np.array(situation.send_times), np.array(self.delays_s, dtype=np.float64)[:, None]
        decided_at = send_times - delays
        possible = candidates.delays.T @ RULES.allows(situation, _ends)[candidates.pairs]
        possible &= (decided_at >= begin) & (decided_at < end)
        if not possible.any():
            return inf, False
        first = decided_at[possible].min()
        return float(first), bool((possible & (decided_at == first) & (first + delays == send_times)).any())

    def _situation_between(
        self, begin: float, end: float, trigger: TriggerRecord, asks: Callable[[Rule[Any]], bool]
    ) -> Situation | None:
        """Return what a trigger is judged on where it is decided within a span, None if it has expired.

        The send times are those at which a joint action may become free by the rules that ``asks`` chooses.
        """
        first, last = begin + self.delays_s[0], min(end + self.delays_s[-1], trigger.expires_at)
        if first > last:
            return None
        situation = self.situation(begin, trigger, (first, last))
        times = {begin + delay for delay in self.delays_s}
        for at in RULES.times_that_free(situation, first, last, asks):
            if first - 1.0 < at <= last:
                times.update((_tick_at(at), _tick_after(at)))
        # Where `begin` is a send time less a delay, `first` may be more than the send time by a rounding error.
        send_times = sorted(at for at in times if at - self.delays_s[0] >= begin and at <= last)
        return replace(situation, send_times=tuple(send_times)) if send_times else None


def next_possible_at(
    request: Request, state: ShopperState, rulebook: Rulebook, surroundings: Surroundings
) -> float | None:
    """Return the earliest time from ``request.now`` on at which the request would have an eligible send.

    None where there is no such time before every trigger has expired.
    """
    search = _Search.of(request, state, rulebook, surroundings)
    for begin, end in search.spans():
        first, is_exact = search.first_between(begin, end)
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


def _ends(rule: Rule[Any]) -> bool:
    return rule.frees_at is not None


def _denies_all_alike(rule: Rule[Any]) -> bool:
    return rule.frees_at is not None and rule.write is VerdictTable.by_delay
