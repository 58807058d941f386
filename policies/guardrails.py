"""Guardrails: the rules that no policy can break, judged before any distribution is computed.

Each rule is a small pure function from a `Situation` to a mask over the slots: an array of bools that
broadcasts to (messages, channels, delays), or None where it denies nothing. So a rule is judged once per
slot value that it depends on. A joint action is excluded once, under the first rule that denies it, in the
order of `Reason`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from policies.budget import overdraws, utc_day
from policies.catalogue import Cap, Catalogue
from policies.content import filled_names
from policies.rulebook import BoolArray
from policies.shopper import ShopperState
from policies.situation import Situation, Times

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


def _beyond(situation: Situation, max_per_week: int) -> Denied:
    if max_per_week == 0:
        return np.ones((1, 1, 1), dtype=np.bool_)
    return _spread_or_none(_rolling(situation.taken, max_per_week, _WEEK_S, situation.send_times))


def holdout(situation: Situation) -> Denied:
    """Deny everything to a shopper who is held out."""
    return np.ones((1, 1, 1), dtype=np.bool_) if situation.surroundings.held_out else None


def quiet_hours(situation: Situation) -> Denied:
    """Deny sends that would arrive in a channel's quiet hours, by the shopper's own clock at that time."""
    spans = situation.rulebook.quiet_hours
    if not spans:
        return None
    quiet = {span: list(map(span.contain, situation.local_minutes)) for span in set(spans.values())}
    if not any(map(any, quiet.values())):
        return None
    never = [False] * len(situation.send_times)
    by_channel = [quiet[spans[name]] if name in spans else never for name in situation.rulebook.space.channels]
    return np.array(by_channel)[None, :, :]


def suppression_window(situation: Situation) -> Denied:
    """Deny a category for a while from the send of another on, whichever of the two was reserved first."""
    rulebook, taken, times = situation.rulebook, situation.taken_by_category, situation.send_times
    denied: dict[str, list[bool] | None] = {}
    for rule in rulebook.catalogue.suppression:
        blocked = _behind(taken.get(rule.after, ()), times, rule.window_s)
        blocking = _ahead(taken.get(rule.blocks, ()), times, rule.window_s)
        denied[rule.blocks] = _joined(denied.get(rule.blocks), blocked)
        denied[rule.after] = _joined(denied.get(rule.after), blocking)
    return _by_message(situation, rulebook.space.categories, denied)


def _behind(taken: Sequence[float], times: Sequence[float], window_s: float) -> list[bool] | None:
    """Tell for each time whether a send lies behind it, less than a window away."""
    around = _around(taken, times, window_s)
    return [any(0 <= at - sent < window_s for sent in around) for at in times] if around else None


def _ahead(taken: Sequence[float], times: Sequence[float], window_s: float) -> list[bool] | None:
    """Tell for each time whether a send lies ahead of it, less than a window away."""
    around = _around(taken, times, window_s)
    return [any(0 <= sent - at < window_s for sent in around) for at in times] if around else None


def _around(taken: Sequence[float], times: Sequence[float], window_s: float) -> list[float]:
    """Leave out what is a window away from all of the times, which is most of it."""
    first, last = times[0], times[-1]
    return [sent for sent in taken if first - sent < window_s and sent - last < window_s]


def _joined(some: list[bool] | None, more: list[bool] | None) -> list[bool] | None:
    """Join what two rules of a kind deny; what denies nothing is None."""
    if more is None or not any(more):
        return some
    return more if some is None else [one or other for one, other in zip(some, more, strict=True)]


def cooldown(situation: Situation) -> Denied:
    """Deny a message that was, or will be, sent less than its cooldown away."""
    cooldowns, times = situation.rulebook.cooldowns, situation.send_times
    near = {
        name: _near(taken, times, cooldowns[name])
        for name, taken in situation.taken_by_message.items()
        if name in cooldowns
    }
    return _by_message(situation, situation.rulebook.space.messages, near)


def min_gap(situation: Situation) -> Denied:
    """Deny sends too close to another one."""
    gap_s = situation.rulebook.catalogue.min_gap_s
    return None if gap_s is None else _spread_or_none(_near(situation.taken, situation.send_times, gap_s))


def _near(taken: Sequence[float], times: Sequence[float], gap_s: float) -> list[bool] | None:
    around = _around(taken, times, gap_s)
    return [any(abs(at - sent) < gap_s for sent in around) for at in times] if around else None


def cap_message(situation: Situation) -> Denied:
    """Deny sends that would exceed a cap of their message."""
    full = _full_of(situation, situation.rulebook.message_caps, situation.taken_by_message)
    return _by_message(situation, situation.rulebook.space.messages, full)


def cap_category(situation: Situation) -> Denied:
    """Deny sends that would exceed a cap of their category."""
    full = _full_of(situation, situation.rulebook.category_caps, situation.taken_by_category)
    return _by_message(situation, situation.rulebook.space.categories, full)


def cap_channel(situation: Situation) -> Denied:
    """Deny sends that would exceed a cap of their channel."""
    full = _full_of(situation, situation.rulebook.channel_caps, situation.taken_by_channel)
    denied = _by_message(situation, situation.rulebook.space.channels, full)
    return None if denied is None else denied.transpose(1, 0, 2)


def cap_global(situation: Situation) -> Denied:
    """Deny sends that would exceed a catalogue-wide cap."""
    return _spread_or_none(_full(situation, situation.rulebook.catalogue.caps, situation.taken))


def budget(situation: Situation) -> Denied:
    """Deny sends that the channel's budget of their UTC day does not pay for."""
    rulebook, spent = situation.rulebook, situation.surroundings.spent
    if not rulebook.budgets:
        return None
    days = [utc_day(at) for at in situation.send_times]
    each_day, denied = {*days}, None
    for channel, most in rulebook.budgets.items():
        already = {day: spent.get((channel, day), 0) for day in each_day}
        if overdraws(max(already.values()), rulebook.dearest[channel], most):
            denied = np.zeros((*rulebook.space.shape[:2], len(days)), dtype=np.bool_) if denied is None else denied
            number = rulebook.space.channels.index(channel)
            costs = rulebook.slot_costs[:, number].tolist()
            denied[:, number] = [[overdraws(already[day], cost, most) for day in days] for cost in costs]
    return denied


def _full_of(situation: Situation, caps: Mapping[str, Sequence[Cap]], taken: Times) -> dict[str, list[bool] | None]:
    """Tell of each name whether a cap is full for it, and at which send times."""
    return {name: _full(situation, caps[name], times) for name, times in taken.items() if name in caps}


def _full(situation: Situation, caps: Sequence[Cap], taken: Sequence[float]) -> list[bool] | None:
    """Tell for each send time whether one of the caps is full; None when none is at any."""
    denied: list[bool] | None = None
    for cap in caps:
        if len(taken) >= cap.max:
            denied = _joined(denied, _filled(situation, cap, taken))
    return denied


def _filled(situation: Situation, cap: Cap, taken: Sequence[float]) -> list[bool] | None:
    if cap.window_s is not None:
        return _rolling(taken, cap.max, cap.window_s, situation.send_times)
    periods = situation.local_days if cap.calendar == "day" else situation.local_weeks
    counted = [periods[sent] for sent in taken]
    return [counted.count(periods[at]) >= cap.max for at in situation.send_times]


def _rolling(taken: Sequence[float], most: int, window_s: float, times: Sequence[float]) -> list[bool] | None:
    """Tell for each time whether some window around it is full: see `exceeds_cap`."""
    full = [(first, last) for first, last in zip(taken, taken[most - 1 :], strict=False) if last - first < window_s]
    if not full:
        return None
    return [any(max(last, at) - min(first, at) < window_s for first, last in full) for at in times]


def exceeds_cap(taken: Sequence[float], at: float, maximum: int, window_s: float) -> bool:
    """Tell whether a send at ``at`` would put more than ``maximum`` sends into some window around it.

    Rolling windows are half-open and look both ways, so reservations ahead count like sends behind:
    two sends exactly ``window_s`` apart never share a window.

    >>> exceeds_cap([0.0, 5.0], at=9.0, maximum=2, window_s=10.0)
    True
    >>> exceeds_cap([12.0, 14.0], at=9.0, maximum=2, window_s=10.0)
    True
    """
    full = _rolling(sorted(taken), maximum, window_s, (at,))
    return full is not None and full[0]


def _by_delay(situation: Situation, denies: Callable[[float], bool]) -> Denied:
    return _spread(map(denies, situation.send_times))


def _by_channel(situation: Situation, denies: Callable[[str], bool]) -> Denied:
    denied = [denies(channel) for channel in situation.rulebook.space.channels]
    return np.array(denied)[None, :, None] if any(denied) else None


def _by_message(situation: Situation, names: Sequence[str], denied: Mapping[str, list[bool] | None]) -> Denied:
    """Lay what is denied by name and delay over the messages (or what else ``names`` tells of each position)."""
    told = {name: own for name, own in denied.items() if own is not None}
    if not told:
        return None
    mask = np.zeros((len(names), 1, len(situation.send_times)), dtype=np.bool_)
    for number, name in enumerate(names):
        if name in told:
            mask[number, 0] = told[name]
    return mask


def _spread(by_delay: Iterable[bool]) -> BoolArray:
    return np.array(list(by_delay))[None, None, :]


def _spread_or_none(by_delay: list[bool] | None) -> Denied:
    return None if by_delay is None else _spread(by_delay)


def _either(denied: Denied, more: Denied) -> Denied:
    if denied is None or more is None:
        return more if denied is None else denied
    return denied | more


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
    verdict: np.uint8 = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdict", np.uint8(self.reason))  # made once: NumPy takes its time


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

_NOT_A_CANDIDATE = np.uint8(Reason.not_a_candidate)
_GATE = tuple(rule for rule in RULES if rule.asked_again)


def judge(situation: Situation) -> Verdicts:
    """Give the verdict on every joint action (n,) for one trigger, before arbitration."""
    space = situation.rulebook.space
    verdicts = _judge_slots(situation, RULES)
    candidates = situation.rulebook.candidates[situation.trigger.type]
    np.copyto(verdicts, _NOT_A_CANDIDATE, where=~candidates)
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
                np.copyto(verdicts, rule.verdict, where=denied)
    return verdicts
