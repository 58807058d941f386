"""The activation gate: asks the rules once more when a send is about to leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.request import Request
from policies.records.rows import ACTIVATION_GRACE_S, DecisionRow
from policies.rules.consent import consents
from policies.rules.rule import Rule
from policies.rules.rules import RULES
from policies.rules.situation import Situation
from policies.shopper.renames import rename_state
from policies.shopper.state import ShopperState


@dataclass(frozen=True)
class Refusal:
    """Why a send may not leave now; one that does not stand says only that the caller asks too early."""

    reason: str
    stands: bool = True


TOO_EARLY = Refusal("too_early", stands=False)
"""Before the send time, only rules that end by themselves are against the send: its place stays."""


def refusal(row: DecisionRow, state: ShopperState, rulebook: Rulebook, now: float) -> Refusal | None:
    """Return why a decided send may not leave now, None when it may.

    The send is judged at this moment, under the catalogue in force; its own reservation does not count against it.
    More than `ACTIVATION_GRACE_S` after its send time a send has expired, whether it waited for its activation or not.
    A send that the state does not hold any more was taken back: the reason is ``no_consent``, where the rows of the
    log do not say better.

    Raises
    ------
    ValueError
        When the decision sent nothing.
    """
    message, channel, send_at = _send_of(row, rulebook)
    if now > send_at + ACTIVATION_GRACE_S:
        return Refusal(Reason.expired.name)
    situation = _situation(row, state, rulebook, now)
    if state.has_ended(situation.trigger, row.at):
        return Refusal("superseded")
    if state.send_of(row.event_id) is None:
        return Refusal(Reason.no_consent.name)
    verdict = RULES.judge_again(situation, message, channel)
    if verdict is Reason.eligible:
        return None
    if now < send_at and RULES.judge_again(situation, message, channel, _lasts) is Reason.eligible:
        return TOO_EARLY
    return Refusal(verdict.name)


def withheld(row: DecisionRow, state: ShopperState, rulebook: Rulebook) -> Reason | None:
    """Return what the shopper withholds by now from a send that the gate has let leave, None where it is nothing.

    The state alone is asked: the catalogue may offer the message no more. A channel that the catalogue has lost has no
    default consent any more; only the shopper's words count.
    """
    message, channel, _ = _send_of(row, rulebook)
    catalogue, state = rulebook.catalogue, rename_state(state, rulebook.former_names)
    if not consents(state, channel, channel not in catalogue.channels or catalogue.consents(channel)):
        return Reason.no_consent
    if not state.reachable.get(channel, True):
        return Reason.unreachable
    category = rulebook.former_names.category(row.category or "")
    if message in catalogue.messages:
        category = catalogue.messages[message].category
    is_unwanted = category in state.muted_categories or state.max_per_week == 0
    return Reason.preference if is_unwanted and not row.triggers[row.drawn_trigger or 0].critical else None


def _send_of(row: DecisionRow, rulebook: Rulebook) -> tuple[str, str, float]:
    """Return message and channel of a send under their names of today, and its send time."""
    if row.send_at is None or row.drawn_trigger is None or row.message is None or row.channel is None:
        raise ValueError(f"decision {row.event_id!r} sent nothing")
    names = rulebook.former_names
    return names.message(row.message), names.channel(row.channel), row.send_at


def _situation(row: DecisionRow, state: ShopperState, rulebook: Rulebook, now: float) -> Situation:
    trigger = row.triggers[row.drawn_trigger or 0]
    trigger = msgspec.structs.replace(trigger, occurred_at=trigger.time(row.at))
    request = Request(row.event_id, row.shopper_id, row.triggers, now, row.context)
    state = rename_state(state, rulebook.former_names)
    return Situation(request, trigger, state, rulebook, (now,), RULES.reach_s(rulebook))


def _lasts(rule: Rule[Any]) -> bool:
    return rule.frees_at is None
