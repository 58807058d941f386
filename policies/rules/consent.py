"""Rules about the shopper: consent, reach, preferences, and the holdout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies.catalogue.document import Catalogue
from policies.records.reasons import Reason
from policies.rules.batch.forms import own_quiet_hours_many, own_weekly_maximum_many
from policies.rules.local_time import local_times_between
from policies.rules.rule import Rule, looks_at_no_sends
from policies.rules.situation import Situation
from policies.rules.verdicts import DelayMask, DelayMasks, VerdictTable
from policies.rules.windows import WEEK_S, window_is_full
from policies.shopper.state import ShopperState


def no_consent(situation: Situation) -> DelayMasks:
    """Deny channels that the shopper has not consented to."""
    state, always = situation.state, situation.always
    defaults = situation.rulebook.assumed_consent
    if state.subscribed is False:
        return dict.fromkeys(defaults, always)
    return {channel: always for channel, default in defaults.items() if not consents_by_itself(state, channel, default)}


def consents(state: ShopperState, channel: str, default: bool) -> bool:
    """Return whether a shopper consents to a channel.

    ``default`` is `Catalogue.consents` of the channel: it counts where the shopper has said nothing, and was not
    erased. Who is not subscribed consents to no channel.
    """
    return state.subscribed is not False and consents_by_itself(state, channel, default)


def consents_by_itself(state: ShopperState, channel: str, default: bool) -> bool:
    """Return whether a shopper consents to a channel, leaving aside whether the shopper is subscribed at all."""
    return state.consent.get(channel, default and not state.erased)


def unreachable(situation: Situation) -> DelayMasks:
    """Deny channels on which the shopper is known not to be reached (no token, no address)."""
    return {channel: situation.always for channel, reached in situation.state.reachable.items() if not reached}


def muted_categories(situation: Situation) -> DelayMasks:
    """Deny the categories that the shopper has muted."""
    return dict.fromkeys(situation.state.muted_categories, situation.always)


def own_quiet_hours(situation: Situation) -> DelayMask:
    """Deny sends that would arrive in the shopper's own quiet hours."""
    quiet_hours = situation.state.quiet_hours
    return [] if quiet_hours is None else [quiet_hours.contain(minute) for minute in situation.minutes_of_week]


def own_wish_for_none(situation: Situation) -> DelayMask:
    """Deny all sends to a shopper who wants none in any seven days."""
    return situation.always if situation.state.max_per_week == 0 else []


def own_weekly_maximum(situation: Situation) -> DelayMask:
    """Deny sends beyond the number that the shopper wants in any seven days."""
    maximum = situation.state.max_per_week
    if not maximum:
        return []
    return window_is_full(situation.other_sends.times, situation.send_times, maximum, WEEK_S)


def weeks_after_sends(situation: Situation, begin: float, end: float) -> Iterator[float]:
    return (send + WEEK_S for send in situation.other_sends.times if situation.state.max_per_week)


def ends_of_own_quiet_hours(situation: Situation, begin: float, end: float) -> Iterable[float]:
    quiet_hours = situation.state.quiet_hours
    minutes = set() if quiet_hours is None else {span.end for span in quiet_hours.spans}
    return local_times_between(begin, end, minutes, situation.time_zone) if minutes else ()


def one_week(catalogue: Catalogue) -> float:
    return WEEK_S


def holdout(situation: Situation) -> DelayMask:
    """Deny everything to a shopper who is held out."""
    return situation.always if situation.surroundings.held_out else []


RULES = (
    Rule(Reason.no_consent, no_consent, VerdictTable.by_channel, looks_at_no_sends, binds_critical=True),
    Rule(Reason.unreachable, unreachable, VerdictTable.by_channel, looks_at_no_sends, binds_critical=True),
    Rule(Reason.preference, muted_categories, VerdictTable.by_category, looks_at_no_sends),
    Rule(
        Reason.preference,
        own_quiet_hours,
        VerdictTable.by_delay,
        looks_at_no_sends,
        frees_at=ends_of_own_quiet_hours,
        in_batch=own_quiet_hours_many,
    ),
    Rule(Reason.preference, own_wish_for_none, VerdictTable.by_delay, looks_at_no_sends),
    Rule(
        Reason.preference,
        own_weekly_maximum,
        VerdictTable.by_delay,
        one_week,
        frees_at=weeks_after_sends,
        in_batch=own_weekly_maximum_many,
    ),
    Rule(Reason.holdout, holdout, VerdictTable.by_delay, looks_at_no_sends, asked_again=False),
)
