"""The activation gate: the rules asked once more when a send is about to leave."""

from __future__ import annotations

from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.request import Request
from policies.records.rows import ACTIVATION_GRACE_S, DecisionRow
from policies.rules.rules import judge_again
from policies.rules.situation import Situation
from policies.shopper.state import ShopperState


def refusal(row: DecisionRow, state: ShopperState, rulebook: Rulebook, now: float) -> Reason | None:
    """Say why a decided send may not leave now, None when it may.

    It is judged at its send time, or now where that has passed, under the catalogue in force; its own place
    does not count against it. Asked later than `ACTIVATION_GRACE_S` after its send time it has expired,
    whether it waited for this or counted as activated: nobody may send it any more. A place that is gone was
    given back: after an opt-out or a bounce.

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
    request = Request(row.event_id, row.shopper_id, row.triggers, now)
    situation = Situation(request, row.triggers[row.drawn_trigger], state, rulebook, (max(now, row.send_at),))
    verdict = judge_again(situation, row.message, row.channel)
    return None if verdict is Reason.eligible else verdict
