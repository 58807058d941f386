"""Rules about the shopper: consent, reach, preferences, and the holdout."""

from __future__ import annotations

from policies.catalogue.document import Catalogue
from policies.records.reasons import Reason
from policies.rules.rule import Rule, looks_at_no_sends
from policies.rules.situation import Situation
from policies.rules.verdicts import DelayMask, DelayMasks, VerdictTable
from policies.rules.windows import WEEK_S, window_is_full
from policies.shopper.state import ShopperState


def no_consent(situation: Situation) -> DelayMasks:
    """Deny channels that the shopper has not consented to."""
    state, always = situation.state, situation.always
    defaults = situation.rulebook.assumed_consent.items()
    return {channel: always for channel, default in defaults if not consents(state, channel, default)}


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


def own_weekly_maximum(situation: Situation) -> DelayMask:
    """Deny sends beyond the number that the shopper wants in any seven days."""
    maximum = situation.state.max_per_week
    if maximum is None:
        return []
    if maximum == 0:
        return situation.always
    return window_is_full(situation.other_sends.times, situation.send_times, maximum, WEEK_S)


def one_week(catalogue: Catalogue) -> float:
    return WEEK_S


def holdout(situation: Situation) -> DelayMask:
    """Deny everything to a shopper who is held out."""
    return situation.always if situation.surroundings.held_out else []


RULES = (
    Rule(Reason.no_consent, no_consent, VerdictTable.by_channel, looks_at_no_sends, binds_critical=True),
    Rule(Reason.unreachable, unreachable, VerdictTable.by_channel, looks_at_no_sends, binds_critical=True),
    Rule(Reason.preference, muted_categories, VerdictTable.by_category, looks_at_no_sends),
    Rule(Reason.preference, own_quiet_hours, VerdictTable.by_delay, looks_at_no_sends),
    Rule(Reason.preference, own_weekly_maximum, VerdictTable.by_delay, one_week),
    Rule(Reason.holdout, holdout, VerdictTable.by_delay, looks_at_no_sends, asked_again=False),
)
