"""Guardrails: the rules that no policy can break, judged before any distribution is computed.

Each rule is a small pure function from a `Situation` to what it denies: a row that tells of each delay whether a
send after it is denied, such rows by message, category or channel, or a mask over the slots. So a rule is judged
once per slot value that it depends on. A joint action is excluded once, under the first rule that denies it, in
the order of `Reason`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from policies.catalogue.document import Cap
from policies.catalogue.rulebook import BoolArray
from policies.catalogue.templates import filled_names
from policies.records.reasons import Reason
from policies.rules.budget import overdraws, utc_day
from policies.rules.situation import Situation, Times
from policies.rules.verdicts import Row, Rows, Verdicts, VerdictTable
from policies.shopper.retention import MAX_AHEAD
from policies.shopper.state import ShopperState, counted_sends

RULES_VERSION = 3
"""Counts up whenever the same state and catalogue would be judged differently."""

_WEEK_S = 7 * 86_400


def excluded_by_caller(situation: Situation) -> BoolArray | None:
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


def no_content(situation: Situation) -> BoolArray | None:
    """Deny messages without a template for the locale, or lacking an attribute that it needs."""
    return situation.rulebook.without_content(situation.locale, filled_names(situation.trigger.attributes))


def expired(situation: Situation) -> Row:
    """Deny sends that would come after the trigger's expiry."""
    expires_at = situation.trigger.expires_at
    return [at > expires_at for at in situation.send_times]


def no_consent(situation: Situation) -> Rows:
    """Deny channels the shopper has not consented to."""
    state, always = situation.state, situation.always
    assumed = situation.rulebook.assumed_consent.items()
    return {channel: always for channel, unsaid in assumed if not consents(state, channel, unsaid)}


def consents(state: ShopperState, channel: str, unsaid: bool) -> bool:
    """Tell whether a shopper consents to a channel: by own word, else by what the unsaid counts as; the erased to none.

    ``unsaid`` is `Catalogue.consents` of the channel.
    """
    return not state.erased and state.consent.get(channel, unsaid)


def unreachable(situation: Situation) -> Rows:
    """Deny channels on which the shopper is known not to be reached (no token, no address)."""
    return {channel: situation.always for channel, reached in situation.state.reachable.items() if not reached}


def muted(situation: Situation) -> Rows:
    """Deny the categories that the shopper has muted."""
    return dict.fromkeys(situation.state.muted_categories, situation.always)


def own_quiet_hours(situation: Situation) -> Row:
    """Deny sends that would arrive in the shopper's own quiet hours."""
    own = situation.state.quiet_hours
    return [] if own is None else [own.contain(minute) for minute in situation.local_minutes]


def own_weekly_maximum(situation: Situation) -> Row:
    """Deny sends beyond what the shopper wants in a week."""
    most = situation.state.max_per_week
    if most is None:
        return []
    return _rolling(situation.taken.times, most, _WEEK_S, situation.send_times) if most > 0 else situation.always


def holdout(situation: Situation) -> Row:
    """Deny everything to a shopper who is held out."""
    return situation.always if situation.surroundings.held_out else []


def quiet_hours(situation: Situation) -> Rows:
    """Deny sends that would arrive in a channel's quiet hours, by the shopper's own clock at that time."""
    spans = situation.rulebook.quiet_hours
    quiet = {span: [span.contain(minute) for minute in situation.local_minutes] for span in set(spans.values())}
    return {channel: quiet[span] for channel, span in spans.items()}


def suppression_window(situation: Situation) -> Rows:
    """Deny a category for a while from the send of another on, whichever of the two was reserved first."""
    taken, times = situation.taken.by_category, situation.send_times
    first, last = times[0], times[-1]
    denied: dict[str, list[Row]] = {}
    for rule in situation.rulebook.catalogue.suppression:
        window_s = rule.window_s
        for sent in taken.get(rule.after, ()):
            if first - window_s < sent <= last:
                denied.setdefault(rule.blocks, []).append([0 <= at - sent < window_s for at in times])
        for sent in taken.get(rule.blocks, ()):
            if first <= sent < last + window_s:
                denied.setdefault(rule.after, []).append([0 <= sent - at < window_s for at in times])
    return {category: _joined(rows) for category, rows in denied.items()}


def _joined(rows: list[Row]) -> Row:
    """Deny what any of some rows denies; no rows deny nothing."""
    if len(rows) > 1:
        return [*map(any, zip(*rows, strict=True))]
    return rows[0] if rows else []


def cooldown(situation: Situation) -> Rows:
    """Deny a message that was, or will be, sent less than its cooldown away."""
    cooldowns, times = situation.rulebook.cooldowns, situation.send_times
    first, last = times[0], times[-1]
    return {
        name: _near(own, times, gap_s)
        for name, own in situation.taken.by_message.items()
        if (gap_s := cooldowns.get(name, 0)) and own[-1] > first - gap_s and own[0] < last + gap_s
    }


def min_gap(situation: Situation) -> Row:
    """Deny sends too close to another one."""
    gap_s = situation.rulebook.catalogue.min_gap_s
    return [] if gap_s is None else _near(situation.taken.times, situation.send_times, gap_s)


def _near(taken: Sequence[float], times: Sequence[float], gap_s: float) -> Row:
    begin, end = times[0] - gap_s, times[-1] + gap_s
    return _joined([[abs(at - sent) < gap_s for at in times] for sent in taken if begin < sent < end])


def cap_message(situation: Situation) -> Rows:
    """Deny sends that would exceed a cap of their message."""
    return _full_of(situation, situation.rulebook.message_caps, situation.taken.by_message)


def cap_category(situation: Situation) -> Rows:
    """Deny sends that would exceed a cap of their category."""
    return _full_of(situation, situation.rulebook.category_caps, situation.taken.by_category)


def cap_channel(situation: Situation) -> Rows:
    """Deny sends that would exceed a cap of their channel."""
    return _full_of(situation, situation.rulebook.channel_caps, situation.taken.by_channel)


def cap_global(situation: Situation) -> Row:
    """Deny sends that would exceed a catalogue-wide cap, and any while `MAX_AHEAD` places lie ahead."""
    if _is_crowded(situation):
        return situation.always
    return _full(situation, situation.rulebook.catalogue.caps, situation.taken.times)


def _is_crowded(situation: Situation) -> bool:
    state, request = situation.state, situation.request
    if len(state.sends) < MAX_AHEAD:
        return False
    others = counted_sends(state, request.now, but=request.event_id)
    return sum(send.send_at > request.now for send in others) >= MAX_AHEAD


def budget(situation: Situation) -> BoolArray | None:
    """Deny sends that the channel's budget of their UTC day does not pay for."""
    rulebook, spent = situation.rulebook, situation.surroundings.spent
    enough = rulebook.pays_for_any
    if not enough or max(spent.values(), default=0) <= min(enough.values()):
        return None
    days = [utc_day(at) for at in situation.send_times]
    tight = [channel for channel, most in enough.items() if any(spent.get((channel, day), 0) > most for day in {*days})]
    if not tight:
        return None
    denied = np.zeros((*rulebook.space.shape[:2], len(days)), dtype=np.bool_)
    for channel in tight:
        number, most = rulebook.space.channels.index(channel), rulebook.budgets[channel]
        already = [spent.get((channel, day), 0) for day in days]
        costs = rulebook.slot_costs[:, number].tolist()
        denied[:, number] = [[overdraws(own, cost, most) for own in already] for cost in costs]
    return denied


def _full_of(situation: Situation, caps: Mapping[str, Sequence[Cap]], taken: Times) -> Rows:
    """Tell of each name at which send times a cap is full for it."""
    return {
        name: _full(situation, caps[name], times)
        for name, times in taken.items()
        if name in caps and len(times) >= caps[name][0].max  # the smallest
    }


def _full(situation: Situation, caps: Sequence[Cap], taken: Sequence[float]) -> Row:
    """Tell for each send time whether one of the caps is full."""
    rows = []
    for cap in caps:
        if len(taken) >= cap.max and (row := _filled(situation, cap, taken)):
            rows.append(row)
    return _joined(rows)


def _filled(situation: Situation, cap: Cap, taken: Sequence[float]) -> Row:
    if cap.window_s is not None:
        return _rolling(taken, cap.max, cap.window_s, situation.send_times)
    periods = situation.local_days if cap.calendar == "day" else situation.local_weeks
    counted = [periods[sent] for sent in taken]
    return [counted.count(periods[at]) >= cap.max for at in situation.send_times]


def _rolling(taken: Sequence[float], most: int, window_s: float, times: Sequence[float]) -> Row:
    """Tell for each time whether some window around it is full: see `exceeds_cap`."""
    full = [(first, last) for first, last in zip(taken, taken[most - 1 :], strict=False) if last - first < window_s]
    return _joined([[max(last, at) - min(first, at) < window_s for at in times] for first, last in full])


def exceeds_cap(taken: Sequence[float], at: float, maximum: int, window_s: float) -> bool:
    """Tell whether a send at ``at`` would put more than ``maximum`` sends into some window around it.

    Rolling windows are half-open and look both ways, so reservations ahead count like sends behind:
    two sends exactly ``window_s`` apart never share a window.

    >>> exceeds_cap([0.0, 5.0], at=9.0, maximum=2, window_s=10.0)
    True
    >>> exceeds_cap([12.0, 14.0], at=9.0, maximum=2, window_s=10.0)
    True
    """
    return _rolling(sorted(taken), maximum, window_s, (at,)) == [True]


Told = TypeVar("Told", Row, Rows, BoolArray | None)


@dataclass(frozen=True)
class Rule(Generic[Told]):
    """One guardrail: the reason it gives, what it denies, and which slots that is told of.

    ``binds_critical`` says whether it also binds critical triggers, ``asked_again`` whether the activation
    gate asks it once more when the send is about to leave.
    """

    reason: Reason
    denies: Callable[[Situation], Told]
    by: Callable[[VerdictTable, int, Told], None]
    binds_critical: bool = False
    asked_again: bool = True


RULES = (
    Rule(Reason.excluded_by_caller, excluded_by_caller, VerdictTable.by_mask, binds_critical=True, asked_again=False),
    Rule(Reason.no_content, no_content, VerdictTable.by_mask, binds_critical=True, asked_again=False),
    Rule(Reason.expired, expired, VerdictTable.by_delay, binds_critical=True),
    Rule(Reason.no_consent, no_consent, VerdictTable.by_channel, binds_critical=True),
    Rule(Reason.unreachable, unreachable, VerdictTable.by_channel, binds_critical=True),
    Rule(Reason.preference, muted, VerdictTable.by_category),
    Rule(Reason.preference, own_quiet_hours, VerdictTable.by_delay),
    Rule(Reason.preference, own_weekly_maximum, VerdictTable.by_delay),
    Rule(Reason.holdout, holdout, VerdictTable.by_delay, asked_again=False),
    Rule(Reason.quiet_hours, quiet_hours, VerdictTable.by_channel),
    Rule(Reason.suppression_window, suppression_window, VerdictTable.by_category),
    Rule(Reason.cooldown, cooldown, VerdictTable.by_message),
    Rule(Reason.min_gap, min_gap, VerdictTable.by_delay),
    Rule(Reason.cap_message, cap_message, VerdictTable.by_message),
    Rule(Reason.cap_category, cap_category, VerdictTable.by_category),
    Rule(Reason.cap_channel, cap_channel, VerdictTable.by_channel),
    Rule(Reason.cap_global, cap_global, VerdictTable.by_delay),
    Rule(Reason.budget, budget, VerdictTable.by_mask, asked_again=False),
)
"""Every rule in the order of the reasons: adding one here is all it takes."""

_GATE = tuple(rule for rule in RULES if rule.asked_again)


def judge(situation: Situation) -> Verdicts:
    """Give the verdict on every joint action (n,) for one trigger, before arbitration."""
    rulebook = situation.rulebook
    verdicts = _judge_slots(situation, RULES)
    verdicts |= rulebook.not_candidates[situation.trigger.type]  # all bits: the verdict above all others
    return verdicts.take(rulebook.space.cells)


def judge_again(situation: Situation, message: str, channel: str) -> Reason:
    """Give the verdict of the activation gate on one send at the situation's only send time."""
    if not _is_offered(situation, message, channel):
        return Reason.no_content  # the catalogue has changed: nobody vouches for this send any more
    space, verdicts = situation.rulebook.space, _judge_slots(situation, _GATE)
    return Reason(verdicts[space.messages.index(message), space.channels.index(channel), 0])


def _is_offered(situation: Situation, message: str, channel: str) -> bool:
    """Tell whether the catalogue in force has a message answer the trigger, and on this channel."""
    found = situation.rulebook.catalogue.messages.get(message)
    return found is not None and situation.trigger.type in found.triggers and channel in found.templates


def _judge_slots(situation: Situation, rules: Sequence[Rule[Any]]) -> Verdicts:
    """Ask the rules: verdicts (messages, channels, send times)."""
    denials, critical = VerdictTable(situation.rulebook.space, len(situation.send_times)), situation.trigger.critical
    for rule in rules:
        if rule.binds_critical or not critical:
            rule.by(denials, rule.reason, rule.denies(situation))
    return denials.verdicts()
