"""Rules about time: quiet hours, and how far apart sends must be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.rules.batch.forms import quiet_hours_many
from policies.rules.batch.limit import ALL, Limit, Name
from policies.rules.local_time import local_times_between
from policies.rules.rule import Rule, looks_at_no_sends
from policies.rules.situation import Situation
from policies.rules.verdicts import DelayMask, DelayMasks, VerdictTable, any_of
from policies.rules.windows import is_near


def has_quiet_hours(catalogue: Catalogue) -> bool:
    return any(channel.quiet_hours for channel in catalogue.channels.values())


def quiet_hours(situation: Situation) -> DelayMasks:
    """Deny sends that would arrive in a channel's quiet hours, by the shopper's clock at the send time."""
    minutes, weeks = situation.minutes_of_week, situation.rulebook.quiet_weeks
    return {channel: [week[minute] == 1 for minute in minutes] for channel, week in weeks.items()}


def suppression_window(situation: Situation) -> DelayMasks:
    """Deny a category for a while after a send of another category, whichever of the two was reserved first."""
    sent, times = situation.other_sends.by_category, situation.send_times
    first, last = times[0], times[-1]
    denied: dict[str, list[DelayMask]] = {}
    for suppression in situation.rulebook.catalogue.suppression:
        window_s = suppression.window_s
        for send in sent.get(suppression.after, ()):
            if first - window_s < send <= last:
                denied.setdefault(suppression.blocks, []).append([0 <= at - send < window_s for at in times])
        for send in sent.get(suppression.blocks, ()):
            if first <= send < last + window_s:
                denied.setdefault(suppression.after, []).append([0 <= send - at < window_s for at in times])
    return {category: any_of(masks) for category, masks in denied.items()}


def limits_of_suppression(rulebook: Rulebook) -> Iterator[Limit]:
    for suppression in rulebook.catalogue.suppression:
        after: Name = ("category", suppression.after)
        blocks: Name = ("category", suppression.blocks)
        yield Limit(after, blocks, after_s=suppression.window_s)
        yield Limit(blocks, after, before_s=suppression.window_s)


def longest_suppression(catalogue: Catalogue) -> float:
    return max((suppression.window_s for suppression in catalogue.suppression), default=0)


def cooldown(situation: Situation) -> DelayMasks:
    """Deny a message if the same message is sent less than its cooldown before or after."""
    cooldowns, times = situation.rulebook.cooldowns, situation.send_times
    first, last = times[0], times[-1]
    return {
        message: is_near(sent, times, gap_s)
        for message, sent in situation.other_sends.by_message.items()
        if (gap_s := cooldowns.get(message, 0)) and sent[-1] > first - gap_s and sent[0] < last + gap_s
    }


def limits_of_cooldowns(rulebook: Rulebook) -> Iterator[Limit]:
    return (Limit.of_gap(("message", name), gap_s) for name, gap_s in rulebook.cooldowns.items())


def longest_cooldown(catalogue: Catalogue) -> float:
    return max(message.cooldown_s or 0 for message in catalogue.messages.values())


def min_gap(situation: Situation) -> DelayMask:
    """Deny sends that are too close to any other send."""
    gap_s = situation.rulebook.catalogue.min_gap_s
    return [] if gap_s is None else is_near(situation.other_sends.times, situation.send_times, gap_s)


def limit_of_gap(rulebook: Rulebook) -> Iterator[Limit]:
    yield Limit.of_gap(ALL, rulebook.catalogue.min_gap_s or 0)


def minimum_gap(catalogue: Catalogue) -> float:
    return catalogue.min_gap_s or 0


def ends_of_quiet_hours(situation: Situation, begin: float, end: float) -> Iterable[float]:
    minutes = {span.end for quiet_hours in situation.rulebook.quiet_hours.values() for span in quiet_hours.spans}
    return local_times_between(begin, end, minutes, situation.time_zone) if minutes else ()


def ends_of_suppression(situation: Situation, begin: float, end: float) -> Iterator[float]:
    sent = situation.other_sends.by_category
    for suppression in situation.rulebook.catalogue.suppression:
        yield from (send + suppression.window_s for send in sent.get(suppression.after, ()))
        yield from sent.get(suppression.blocks, ())


def ends_of_cooldowns(situation: Situation, begin: float, end: float) -> Iterator[float]:
    cooldowns = situation.rulebook.cooldowns
    for message, sent in situation.other_sends.by_message.items():
        if gap_s := cooldowns.get(message, 0):
            yield from (send + gap_s for send in sent)


def ends_of_gaps(situation: Situation, begin: float, end: float) -> Iterable[float]:
    gap_s = situation.rulebook.catalogue.min_gap_s
    return () if gap_s is None else (send + gap_s for send in situation.other_sends.times)


RULES = (
    Rule(
        Reason.quiet_hours,
        quiet_hours,
        VerdictTable.by_channel,
        looks_at_no_sends,
        frees_at=ends_of_quiet_hours,
        concerns=has_quiet_hours,
        in_batch=quiet_hours_many,
    ),
    Rule(
        Reason.suppression_window,
        suppression_window,
        VerdictTable.by_category,
        longest_suppression,
        frees_at=ends_of_suppression,
        concerns=longest_suppression,
        limits=limits_of_suppression,
    ),
    Rule(
        Reason.cooldown,
        cooldown,
        VerdictTable.by_message,
        longest_cooldown,
        frees_at=ends_of_cooldowns,
        concerns=longest_cooldown,
        limits=limits_of_cooldowns,
    ),
    Rule(
        Reason.min_gap,
        min_gap,
        VerdictTable.by_delay,
        minimum_gap,
        frees_at=ends_of_gaps,
        concerns=minimum_gap,
        limits=limit_of_gap,
    ),
)
