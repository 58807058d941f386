"""Rules about what can be said: the caller's exclusions, the templates, the trigger's expiry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from policies.arrays import BoolArray
from policies.catalogue.templates.template import FilledNames
from policies.records.reasons import Reason
from policies.rules.rule import Rule, looks_at_no_sends
from policies.rules.situation import Situation
from policies.rules.verdicts import DelayMask, VerdictTable


def caller_exclusions(situation: Situation) -> BoolArray | None:
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
    """Deny messages without a template for the locale, without an attribute that it needs, or whose text is blank."""
    return situation.rulebook.without_content(situation.locale, FilledNames.of(situation.trigger.attributes))


def expiry(situation: Situation) -> DelayMask:
    """Deny sends that would come after the trigger's expiry, and all sends once an event has ended the trigger."""
    trigger = situation.trigger
    if trigger.ends_on and situation.state.has_ended(trigger, situation.request.now):
        return situation.always
    expires_at = trigger.expires_at
    return [at > expires_at for at in situation.send_times]


RULES = (
    Rule(
        Reason.excluded_by_caller,
        caller_exclusions,
        VerdictTable.by_slots,
        looks_at_no_sends,
        binds_critical=True,
        asked_again=False,
    ),
    Rule(
        Reason.no_content,
        no_content,
        VerdictTable.by_slots,
        looks_at_no_sends,
        binds_critical=True,
        asked_again=False,
        version=2,  # blank text, booleans, the lookup of locales
    ),
    Rule(Reason.expired, expiry, VerdictTable.by_delay, looks_at_no_sends, binds_critical=True, version=2),
)
