"""Guardrails: the rules that no policy can break, judged before any distribution is computed.

Each rule is a small pure function from a `Situation` to a mask over the slots: an array of bools that
broadcasts to (messages, channels, delays), or None where it denies nothing. So a rule is judged once per
slot value that it depends on. A joint action is excluded once, under the first rule that denies it, in the
order of `Reason`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from policies.budget import overdraws, utc_day
from policies.catalogue import Cap, Catalogue
from policies.content import filled_names
from policies.rulebook import BoolArray
from policies.shopper import ShopperState
from policies.situation import Situation

Verdicts = NDArray[np.uint8]
Denied = BoolArray | None

RULES_VERSION = 2
"""Counts up whenever the same state and catalogue would be judged differently."""

_WEEK_S = 7 * 86_400


class Reason(IntEnum):
    """Why a joint action is excluded (stable names, in the order in which the rules are asked)."""

    eligible = 0
    excluded_by_caller = 1
    no_content = 2
    expired = 3
    no_consent = 4
    unreachable = 5
    preference = 6
    holdout = 7
    quiet_hours = 8
    suppression_window = 9
    cooldown = 10
    min_gap = 11
    cap_message = 12
    cap_category = 13
    cap_channel = 14
    cap_global = 15
    budget = 16
    outranked = 17
    not_a_candidate = 255


def excluded_by_caller(situation: Situation) -> Denied:
    """Deny what the request's patterns name."""
    if not situation.request.exclude:
        return None
    space = situation.rulebook.space
    denied = np.zeros(space.shape, dtype=np.bool_)
    for pattern in situation.request.exclude:
        slots = (
            _positions(pattern.message, space.messages),
            _positions(pattern.channel, space.channels),
            _positions(pattern.delay_s, space.delays_s),
        )
        denied[np.ix_(*slots)] = True
    return denied


def _positions(wanted: object, values: Sequence[object]) -> list[int]:
    return [number for number, value in enumerate(values) if wanted is None or value == wanted]


def no_content(situation: Situation) -> Denied:
    """Deny messages without a template for the locale, or lacking an attribute that it needs."""
    names = filled_names(situation.trigger.attributes)
    return ~situation.rulebook.with_content(situation.locale, names)[:, :, None]


def expired(situation: Situation) -> Denied:
    """Deny sends that would come after the trigger's expiry."""
    return _by_delay(situation, lambda at: at > situation.trigger.expires_at)


def no_consent(situation: Situation) -> Denied:
    """Deny channels the shopper has not consented to."""
    state, catalogue = situation.state, situation.rulebook.catalogue
    return _by_channel(situation, lambda channel: not consents(state, channel, catalogue))


def consents(state: ShopperState, channel: str, catalogue: Catalogue) -> bool:
    """Tell whether a shopper consents to a channel: by own word, else by the catalogue; the erased to none."""
    return not state.erased and state.consent.get(channel, catalogue.consents(channel))


def unreachable(situation: Situation) -> Denied:
    """Deny channels on which the shopper is known not to be reached (no token, no address)."""
    reachable = situation.state.reachable
    return _by_channel(situation, lambda channel: not reachable.get(channel, True)) if reachable else None


def preference(situation: Situation) -> Denied:
    """Deny what the shopper does not want: muted categories, more than so many a week, own quiet hours."""
    state = situation.state
    denied: Denied = None
    if state.muted_categories:
        muted = [category in state.muted_categories for category in situation.rulebook.space.categories]
        denied = np.array(muted)[:, None, None]
    if state.quiet_hours is not None:
        denied = _either(denied, _spread(map(state.quiet_hours.contain, situation.local_minutes)))
    if state.max_per_week is not None:
        denied = _either(denied, _beyond(situation, state.max_per_week))
    return denied


def _beyond(situation: Situation, max_per_week: int) -> BoolArray:
    if max_per_week == 0:
        return np.ones((1, 1, 1), dtype=np.bool_)
    week = Cap(max=max_per_week, window_s=_WEEK_S)
    return _spread(_full((week,), situation.times(), situation))


def holdout(situation: Situation) -> Denied:
    """Deny everything to a shopper who is held out."""
    return np.ones((1, 1, 1), dtype=np.bool_) if situation.surroundings.held_out else None


def quiet_hours(situation: Situation) -> Denied:
    """Deny sends that would arrive in a channel's quiet hours, by the shopper's own clock at that time."""
    spans = situation.rulebook.quiet_hours
    if not any(spans):
        return None
    minutes = situation.local_minutes
    quiet = [[span is not None and span.contain(minute) for minute in minutes] for span in spans]
    return np.array(quiet)[None, :, :]


def suppression_window(situation: Situation) -> Denied:
    """Deny a category for a while from the send of another on, whichever of the two was reserved first."""
    if not situation.counted:
        return None
    rulebook = situation.rulebook
    denied = np.zeros((len(rulebook.categories), len(situation.send_times)), dtype=np.bool_)
    for rule in rulebook.catalogue.suppression:
        before, ahead = situation.times(category=rule.after), situation.times(category=rule.blocks)
        for category, blocked in (
            (rule.blocks, [any(0 <= at - sent < rule.window_s for sent in before) for at in situation.send_times]),
            (rule.after, [any(0 <= sent - at < rule.window_s for sent in ahead) for at in situation.send_times]),
        ):
            denied[rulebook.categories.index(category)] |= blocked
    return denied[rulebook.category_of][:, None, :] if denied.any() else None


def cooldown(situation: Situation) -> Denied:
    """Deny a message that was, or will be, sent less than its cooldown away."""
    cooldowns = situation.rulebook.cooldowns

    def near(message: str) -> list[bool] | None:
        taken = situation.times(message=message)
        return _near(taken, situation.send_times, cooldowns[message]) if taken else None

    return _by_name(situation, situation.rulebook.space.messages, cooldowns, near, axis=0)


def min_gap(situation: Situation) -> Denied:
    """Deny sends too close to another one."""
    gap, taken = situation.rulebook.catalogue.min_gap_s, situation.times()
    return None if gap is None or not taken else _spread(_near(taken, situation.send_times, gap))


def _near(taken: Sequence[float], times: Sequence[float], gap_s: float) -> list[bool]:
    return [any(abs(at - sent) < gap_s for sent in taken) for at in times]


def cap_message(situation: Situation) -> Denied:
    """Deny sends that would exceed a cap of their message."""
    caps = situation.rulebook.message_caps

    def full(message: str) -> list[bool] | None:
        return _full_or_none(caps[message], situation.times(message=message), situation)

    return _by_name(situation, situation.rulebook.space.messages, caps, full, axis=0)


def cap_category(situation: Situation) -> Denied:
    """Deny sends that would exceed a cap of their category."""
    caps = situation.rulebook.category_caps

    def full(category: str) -> list[bool] | None:
        return _full_or_none(caps[category], situation.times(category=category), situation)

    return _by_name(situation, situation.rulebook.space.categories, caps, full, axis=0)


def cap_channel(situation: Situation) -> Denied:
    """Deny sends that would exceed a cap of their channel."""
    caps = situation.rulebook.channel_caps

    def full(channel: str) -> list[bool] | None:
        return _full_or_none(caps[channel], situation.times(channel=channel), situation)

    return _by_name(situation, situation.rulebook.space.channels, caps, full, axis=1)


def cap_global(situation: Situation) -> Denied:
    """Deny sends that would exceed a catalogue-wide cap."""
    full = _full_or_none(situation.rulebook.catalogue.caps, situation.times(), situation)
    return None if full is None else _spread(full)


def budget(situation: Situation) -> Denied:
    """Deny sends that the channel's budget of their UTC day does not pay for."""
    rulebook, spent = situation.rulebook, situation.surroundings.spent
    if not rulebook.budgets:
        return None
    denied = np.zeros((*rulebook.space.shape[:2], len(situation.send_times)), dtype=np.bool_)
    for channel, most in rulebook.budgets.items():
        number = rulebook.space.channels.index(channel)
        for delay, at in enumerate(situation.send_times):
            already = spent.get((channel, utc_day(at)), 0)
            costs = rulebook.slot_costs[:, number].tolist()
            denied[:, number, delay] = [overdraws(already, cost, most) for cost in costs]
    return denied


def _full_or_none(caps: Sequence[Cap], taken: Sequence[float], situation: Situation) -> list[bool] | None:
    """Tell for each send time whether a cap is full; None when none can be, for the sake of speed."""
    if all(len(taken) < cap.max for cap in caps):
        return None
    return _full(caps, taken, situation)


def _full(caps: Sequence[Cap], taken: Sequence[float], situation: Situation) -> list[bool]:
    return [any(_exceeds(cap, taken, at, situation) for cap in caps) for at in situation.send_times]


def _exceeds(cap: Cap, taken: Sequence[float], at: float, situation: Situation) -> bool:
    if cap.window_s is not None:
        return exceeds_cap(taken, at, cap.max, cap.window_s)
    period = situation.local_day if cap.calendar == "day" else situation.local_week
    return sum(period(sent) == period(at) for sent in taken) >= cap.max


def exceeds_cap(taken: Sequence[float], at: float, maximum: int, window_s: float) -> bool:
    """Tell whether a send at ``at`` would put more than ``maximum`` sends into some window around it.

    Rolling windows are half-open and look both ways, so reservations ahead count like sends behind:
    two sends exactly ``window_s`` apart never share a window.

    >>> exceeds_cap([0.0, 5.0], at=9.0, maximum=2, window_s=10.0)
    True
    >>> exceeds_cap([12.0, 14.0], at=9.0, maximum=2, window_s=10.0)
    True
    """
    near = sorted(time for time in (*taken, at) if abs(time - at) < window_s)
    return any(last - first < window_s for first, last in zip(near, near[maximum:], strict=False))


def _by_delay(situation: Situation, denies: Callable[[float], bool]) -> Denied:
    return _spread(map(denies, situation.send_times))


def _by_channel(situation: Situation, denies: Callable[[str], bool]) -> Denied:
    denied = [denies(channel) for channel in situation.rulebook.space.channels]
    return np.array(denied)[None, :, None] if any(denied) else None


def _by_name(
    situation: Situation,
    names: Sequence[str],
    ruled: Mapping[str, object],
    denies: Callable[[str], list[bool] | None],
    *,
    axis: int,
) -> Denied:
    """Ask a rule over (a slot's names, delays) for each name that it is about."""
    if not ruled or not situation.counted:
        return None
    answers = {name: answer for name in ruled if (answer := denies(name)) is not None}
    if not answers:
        return None
    nothing = [False] * len(situation.send_times)
    return np.expand_dims(np.array([answers.get(name, nothing) for name in names]), 1 - axis)


def _spread(by_delay: Iterable[bool]) -> BoolArray:
    return np.array(list(by_delay))[None, None, :]


def _either(denied: Denied, more: BoolArray) -> BoolArray:
    return more if denied is None else denied | more


@dataclass(frozen=True)
class Rule:
    """One guardrail: the reason it gives and its mask.

    ``binds_critical`` says whether it also binds critical triggers, ``asked_again`` whether the activation
    gate asks it once more when the send is about to leave.
    """

    reason: Reason
    denies: Callable[[Situation], Denied]
    binds_critical: bool = False
    asked_again: bool = True


RULES: tuple[Rule, ...] = (
    Rule(Reason.excluded_by_caller, excluded_by_caller, binds_critical=True, asked_again=False),
    Rule(Reason.no_content, no_content, binds_critical=True, asked_again=False),
    Rule(Reason.expired, expired, binds_critical=True),
    Rule(Reason.no_consent, no_consent, binds_critical=True),
    Rule(Reason.unreachable, unreachable, binds_critical=True),
    Rule(Reason.preference, preference),
    Rule(Reason.holdout, holdout, asked_again=False),
    Rule(Reason.quiet_hours, quiet_hours),
    Rule(Reason.suppression_window, suppression_window),
    Rule(Reason.cooldown, cooldown),
    Rule(Reason.min_gap, min_gap),
    Rule(Reason.cap_message, cap_message),
    Rule(Reason.cap_category, cap_category),
    Rule(Reason.cap_channel, cap_channel),
    Rule(Reason.cap_global, cap_global),
    Rule(Reason.budget, budget, asked_again=False),
)
"""Every rule in the order of the reasons: adding one here is all it takes."""

_GATE = tuple(rule for rule in RULES if rule.asked_again)


def judge(situation: Situation) -> Verdicts:
    """Give the verdict on every joint action (n,) for one trigger, before arbitration."""
    space = situation.rulebook.space
    verdicts = _judge_slots(situation, RULES)
    candidates = situation.rulebook.candidates[situation.trigger.type]
    np.copyto(verdicts, np.uint8(Reason.not_a_candidate), where=~candidates)
    return verdicts.reshape(-1)[space.cells]


def judge_again(situation: Situation, message: str, channel: str) -> Reason:
    """Give the verdict of the activation gate on one send at the situation's only send time."""
    space = situation.rulebook.space
    if message not in space.messages or channel not in space.channels:
        return Reason.no_content  # the catalogue has changed: nobody vouches for this send any more
    verdicts = _judge_slots(situation, _GATE)
    return Reason(verdicts[space.messages.index(message), space.channels.index(channel), 0])


def _judge_slots(situation: Situation, rules: Sequence[Rule]) -> Verdicts:
    """Ask the rules, the last first, so that the first one that denies has the last word."""
    messages, channels, _ = situation.rulebook.space.shape
    verdicts = np.zeros((messages, channels, len(situation.send_times)), dtype=np.uint8)
    for rule in reversed(rules):
        if rule.binds_critical or not situation.trigger.critical:
            denied = rule.denies(situation)
            if denied is not None:
                np.copyto(verdicts, np.uint8(rule.reason), where=denied)
    return verdicts
