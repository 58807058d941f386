"""Guardrails: the rules that no policy can break, judged before any distribution is computed.

Each rule is a small pure function from a `Situation` to a mask over the joint actions. Rules depend on
single slots, so they are judged per slot value and spread over the joint actions by an index gather.
A joint action is excluded once, under the first rule that denies it, in the order of `Reason`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from policies.catalogue import Cap
from policies.content import filled_names
from policies.request import Request
from policies.rows import TriggerRecord
from policies.rulebook import BoolArray, Rulebook
from policies.shopper import Send, ShopperState, counted_sends

Verdicts = NDArray[np.uint8]

RULES_VERSION = 1
"""Counts up whenever the same state and catalogue would be judged differently."""


class Reason(IntEnum):
    """Why a joint action is excluded (stable names, in the order in which the rules are asked)."""

    eligible = 0
    excluded_by_caller = 1
    no_content = 2
    expired = 3
    no_consent = 4
    cap_channel = 14
    cap_global = 15
    outranked = 17
    not_a_candidate = 255


@dataclass(frozen=True)
class Situation:
    """Everything that one trigger of one request is judged on."""

    request: Request
    trigger: TriggerRecord
    state: ShopperState
    rulebook: Rulebook

    @property
    def send_times(self) -> NDArray[np.float64]:
        """When each delay of the catalogue would send, epoch seconds, shape (delays,)."""
        return self.request.now + np.asarray(self.rulebook.space.delays_s, dtype=np.float64)

    @property
    def locale(self) -> str:
        """The shopper's locale, as far as it is known."""
        told = self.request.context.get("locale")
        return told if isinstance(told, str) else self.state.locale or self.rulebook.catalogue.defaults.locale

    @cached_property
    def counted(self) -> tuple[Send, ...]:
        """The sends that count under caps, this decision's own left out."""
        return tuple(counted_sends(self.state, but=self.request.event_id))


def excluded_by_caller(situation: Situation) -> BoolArray:
    """Deny what the request's patterns name."""
    space = situation.rulebook.space
    denied = np.zeros(len(space), dtype=np.bool_)
    for pattern in situation.request.exclude:
        matches = np.ones(len(space), dtype=np.bool_)
        for value, values, of in (
            (pattern.message, space.messages, space.message_of),
            (pattern.channel, space.channels, space.channel_of),
            (pattern.delay_s, space.delays_s, space.delay_of),
        ):
            if value is not None:
                matches &= of == (values.index(value) if value in values else -1)
        denied |= matches
    return denied


def no_content(situation: Situation) -> BoolArray:
    """Deny messages without a template for the locale, or lacking an attribute that it needs."""
    names = filled_names(situation.trigger.attributes)
    return ~situation.rulebook.with_content(situation.locale, names)


def expired(situation: Situation) -> BoolArray:
    """Deny sends that would come after the trigger's expiry."""
    return (situation.send_times > situation.trigger.expires_at)[situation.rulebook.space.delay_of]


def no_consent(situation: Situation) -> BoolArray:
    """Deny channels the shopper has not consented to."""
    catalogue, told = situation.rulebook.catalogue, situation.state.consent
    space = situation.rulebook.space
    denied = np.array([not told.get(channel, catalogue.consents(channel)) for channel in space.channels])
    return np.asarray(denied[space.channel_of], dtype=np.bool_)


def cap_channel(situation: Situation) -> BoolArray:
    """Deny sends that would exceed a cap of their channel."""
    space = situation.rulebook.space
    full = np.zeros((len(space.channels), len(space.delays_s)), dtype=np.bool_)
    for number, (channel, caps) in enumerate(zip(space.channels, situation.rulebook.channel_caps, strict=True)):
        if caps:
            taken = [send.send_at for send in situation.counted if send.channel == channel]
            full[number] = _exceeded(caps, taken, situation.send_times)
    return np.asarray(full[space.channel_of, space.delay_of], dtype=np.bool_)


def cap_global(situation: Situation) -> BoolArray:
    """Deny sends that would exceed a catalogue-wide cap."""
    taken = [send.send_at for send in situation.counted]
    full = _exceeded(situation.rulebook.catalogue.caps, taken, situation.send_times)
    return np.asarray(full[situation.rulebook.space.delay_of], dtype=np.bool_)


def _exceeded(caps: Sequence[Cap], taken: list[float], times: NDArray[np.float64]) -> BoolArray:
    full = np.zeros(len(times), dtype=np.bool_)
    for cap in caps:
        if len(taken) >= cap.max:
            full |= [exceeds_cap(taken, time, cap.max, cap.window_s) for time in times.tolist()]
    return full


def exceeds_cap(taken: Sequence[float], at: float, maximum: int, window_s: float) -> bool:
    """Tell whether a send at ``at`` would put more than ``maximum`` sends into some window around it.

    Rolling windows are half-open and look both ways, so reservations ahead count like sends behind:
    two sends exactly ``window_s`` apart never share a window.

    >>> exceeds_cap([0.0, 5.0], at=9.0, maximum=2, window_s=10.0)
    True
    >>> exceeds_cap([0.0, 5.0], at=10.0, maximum=2, window_s=10.0)
    False
    >>> exceeds_cap([12.0, 14.0], at=9.0, maximum=2, window_s=10.0)
    True
    """
    near = sorted(time for time in (*taken, at) if abs(time - at) < window_s)
    return any(last - first < window_s for first, last in zip(near, near[maximum:], strict=False))


@dataclass(frozen=True)
class Rule:
    """One guardrail: the reason it gives, its mask, and whether it also binds critical triggers."""

    reason: Reason
    denies: Callable[[Situation], BoolArray]
    binds_critical: bool


RULES: tuple[Rule, ...] = (
    Rule(Reason.excluded_by_caller, excluded_by_caller, binds_critical=True),
    Rule(Reason.no_content, no_content, binds_critical=True),
    Rule(Reason.expired, expired, binds_critical=True),
    Rule(Reason.no_consent, no_consent, binds_critical=True),
    Rule(Reason.cap_channel, cap_channel, binds_critical=False),
    Rule(Reason.cap_global, cap_global, binds_critical=False),
)
"""Every rule in the order of the reasons: adding one here is all it takes."""


def judge(situation: Situation) -> Verdicts:
    """Give the verdict on every joint action (n,) for one trigger, before arbitration."""
    candidates = situation.rulebook.candidates[situation.trigger.type]
    verdicts = np.where(candidates, np.uint8(Reason.eligible), np.uint8(Reason.not_a_candidate))
    for rule in RULES:
        if rule.binds_critical or not situation.trigger.critical:
            denied = rule.denies(situation)
            verdicts[denied & (verdicts == Reason.eligible)] = rule.reason
    return verdicts
