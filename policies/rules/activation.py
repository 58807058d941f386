"""The activation gate: asks the rules once more when a send is about to leave."""

from __future__ import annotations

from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.request import Request
from policies.records.rows import ACTIVATION_GRACE_S, DecisionRow
from policies.rules.rules import RULES
from policies.rules.situation import Situation
from policies.shopper.renames import rename_state
from policies.shopper.state import ShopperState


def refusal(row: DecisionRow, state: ShopperState, rulebook: Rulebook, now: float) -> Reason | None:
    """Return why a decided send may not leave now, None when it may.

    The send is judged at its send time, or now if that time has passed, under the catalogue in force; its own
    reservation does not count against it. More than `ACTIVATION_GRACE_S` after its send time a send has expired,
    whether it waited for its activation or not. A send that the state does not hold any more was taken back by an
    opt-out or a bounce: the reason is ``no_consent``.

    Raises
    ------
    ValueError
        When the decision sent nothing.
    """
    if row.send_at is None or row.drawn_trigger is None or row.message is None or row.channel is None:
        raise ValueError(f"decision {row.event_id!r} sent nothing")
    if now > row.send_at + ACTIVATION_GRACE_S:
        return Reason.expired
    if state.send_of(row.event_id) is None:
        return Reason.no_consent
    request, trigger = Request(row.event_id, row.shopper_id, row.triggers, now), row.triggers[row.drawn_trigger]
    send_times, names = (max(now, row.send_at),), rulebook.former_names
    state = rename_state(state, names)
    situation = Situation(request, trigger, state, rulebook, send_times, RULES.reach_s(rulebook))
    verdict = RULES.judge_again(situation, names.message(row.message), names.channel(row.channel))
    return None if verdict is Reason.eligible else verdict
