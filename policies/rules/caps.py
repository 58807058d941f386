"""Rules about amounts: how many sends in a window, and how much they may cost in a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from policies.arrays import BoolArray
from policies.catalogue.document import Calendar, Cap, Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.rules.batch.forms import crowd_many
from policies.rules.batch.limit import ALL, Kind, Limit
from policies.rules.budget import overdraws, utc_day
from policies.rules.local_time import DAY_S, local_times_between
from policies.rules.rule import Rule, looks_at_no_sends
from policies.rules.situation import Situation, TimesByName
from policies.rules.verdicts import DelayMask, DelayMasks, VerdictTable, any_of
from policies.rules.windows import window_is_full

_LONGEST_S: Mapping[Calendar | None, float] = {"day": 8 * 86_400.0, "week": 8 * 86_400.0, "month": 32 * 86_400.0}
"""More than a local day, week or month lasts, whatever its clocks do."""


def cap_message(situation: Situation) -> DelayMasks:
    """Deny sends that would exceed a cap of their message."""
    return _full_by_name(situation, situation.rulebook.message_caps, situation.other_sends.by_message)


def cap_category(situation: Situation) -> DelayMasks:
    """Deny sends that would exceed a cap of their category."""
    return _full_by_name(situation, situation.rulebook.category_caps, situation.other_sends.by_category)


def cap_channel(situation: Situation) -> DelayMasks:
    """Deny sends that would exceed a cap of their channel."""
    return _full_by_name(situation, situation.rulebook.channel_caps, situation.other_sends.by_channel)


def cap_global(situation: Situation) -> DelayMask:
    """Deny sends that would exceed a cap over all sends.

    Deny all sends while `MAX_AHEAD` others have a send time in the future.
    """
    if situation.is_crowded:
        return situation.always
    return _full(situation, situation.rulebook.catalogue.caps, situation.other_sends.times)


def _full_by_name(situation: Situation, caps: Mapping[str, Sequence[Cap]], sent: TimesByName) -> DelayMasks:
    """Return for each name at which send times one of its caps is full; its first cap is the smallest."""
    return {
        name: _full(situation, caps[name], times)
        for name, times in sent.items()
        if name in caps and len(times) >= caps[name][0].max
    }


def _full(situation: Situation, caps: Sequence[Cap], sent: Sequence[float]) -> DelayMask:
    """Return for each send time whether one of the caps is full."""
    return any_of([mask for cap in caps if len(sent) >= cap.max and (mask := _cap_is_full(situation, cap, sent))])


def _cap_is_full(situation: Situation, cap: Cap, sent: Sequence[float]) -> DelayMask:
    if cap.window_s is not None:
        return window_is_full(sent, situation.send_times, cap.max, cap.window_s)
    periods = _periods(situation, cap.calendar)
    counts = Counter([periods[send] for send in sent])
    full = {period for period, count in counts.items() if count >= cap.max}
    return [periods[at] in full for at in situation.send_times] if full else []


def _periods(situation: Situation, calendar: Calendar | None) -> Mapping[float, int]:
    """Return the local day, week or month of the send times and of the other sends."""
    match calendar:
        case "month":
            return situation.local_months
        case "week":
            return situation.local_weeks
    return situation.local_days


def longest_message_cap(catalogue: Catalogue) -> float:
    return _longest(cap for message in catalogue.messages.values() for cap in message.caps)


def longest_category_cap(catalogue: Catalogue) -> float:
    return _longest(cap for category in catalogue.categories.values() for cap in category.caps)


def longest_channel_cap(catalogue: Catalogue) -> float:
    return _longest(cap for channel in catalogue.channels.values() for cap in channel.caps)


def longest_global_cap(catalogue: Catalogue) -> float:
    return _longest(catalogue.caps)


def _longest(caps: Iterable[Cap]) -> float:
    return max((cap.window_s or _LONGEST_S[cap.calendar] for cap in caps), default=0.0)


def limits_of_messages(rulebook: Rulebook) -> Iterator[Limit]:
    return _limits("message", rulebook.message_caps)


def limits_of_categories(rulebook: Rulebook) -> Iterator[Limit]:
    return _limits("category", rulebook.category_caps)


def limits_of_channels(rulebook: Rulebook) -> Iterator[Limit]:
    return _limits("channel", rulebook.channel_caps)


def limits_of_all(rulebook: Rulebook) -> Iterator[Limit]:
    return (Limit.of_cap(ALL, cap) for cap in rulebook.catalogue.caps)


def _limits(kind: Kind, caps: Mapping[str, Sequence[Cap]]) -> Iterator[Limit]:
    return (Limit.of_cap((kind, name), cap) for name, own_caps in caps.items() for cap in own_caps)


def has_budgets(catalogue: Catalogue) -> bool:
    return any(channel.daily_budget is not None for channel in catalogue.channels.values())


def budget(situation: Situation) -> BoolArray | None:
    """Deny sends that cost more than is left of the channel's budget of their UTC day."""
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
        number, daily_budget = rulebook.space.channels.index(channel), rulebook.budgets[channel]
        spent_by_day = [spent.get((channel, day), 0) for day in days]
        costs = rulebook.slot_costs[:, number].tolist()
        denied[:, number] = [[overdraws(amount, cost, daily_budget) for amount in spent_by_day] for cost in costs]
    return denied


def ends_of_message_caps(situation: Situation, begin: float, end: float) -> Iterator[float]:
    return _ends_by_name(situation, begin, end, situation.rulebook.message_caps, situation.other_sends.by_message)


def ends_of_category_caps(situation: Situation, begin: float, end: float) -> Iterator[float]:
    return _ends_by_name(situation, begin, end, situation.rulebook.category_caps, situation.other_sends.by_category)


def ends_of_channel_caps(situation: Situation, begin: float, end: float) -> Iterator[float]:
    return _ends_by_name(situation, begin, end, situation.rulebook.channel_caps, situation.other_sends.by_channel)


def ends_of_global_caps(situation: Situation, begin: float, end: float) -> Iterator[float]:
    return _ends_of_caps(situation, begin, end, situation.rulebook.catalogue.caps, situation.other_sends.times)


def _ends_by_name(
    situation: Situation, begin: float, end: float, caps: Mapping[str, Sequence[Cap]], sent: TimesByName
) -> Iterator[float]:
    for name, times in sent.items():
        yield from _ends_of_caps(situation, begin, end, caps.get(name, ()), times)


def _ends_of_caps(
    situation: Situation, begin: float, end: float, caps: Sequence[Cap], sent: Sequence[float]
) -> Iterator[float]:
    """Return when windows end: rolling ones after their sends, days, weeks and months at a local midnight."""
    caps = [cap for cap in caps if len(sent) >= cap.max]
    for window_s in {cap.window_s for cap in caps if cap.window_s is not None}:
        yield from (send + window_s for send in sent)
    if any(cap.window_s is None for cap in caps):
        yield from local_times_between(begin, end, {0}, situation.time_zone)


def ends_of_budget_days(situation: Situation, begin: float, end: float) -> Iterable[float]:
    if not situation.rulebook.budgets:
        return ()
    return (day * DAY_S for day in range(utc_day(begin), utc_day(end) + 2))


RULES = (
    Rule(
        Reason.cap_message,
        cap_message,
        VerdictTable.by_message,
        longest_message_cap,
        frees_at=ends_of_message_caps,
        concerns=longest_message_cap,
        limits=limits_of_messages,
    ),
    Rule(
        Reason.cap_category,
        cap_category,
        VerdictTable.by_category,
        longest_category_cap,
        frees_at=ends_of_category_caps,
        concerns=longest_category_cap,
        limits=limits_of_categories,
    ),
    Rule(
        Reason.cap_channel,
        cap_channel,
        VerdictTable.by_channel,
        longest_channel_cap,
        frees_at=ends_of_channel_caps,
        concerns=longest_channel_cap,
        limits=limits_of_channels,
    ),
    Rule(
        Reason.cap_global,
        cap_global,
        VerdictTable.by_delay,
        longest_global_cap,
        frees_at=ends_of_global_caps,
        limits=limits_of_all,
        in_batch=crowd_many,
    ),
    Rule(
        Reason.budget,
        budget,
        VerdictTable.by_slots,
        looks_at_no_sends,
        asked_again=False,
        frees_at=ends_of_budget_days,
        concerns=has_budgets,
    ),
)
