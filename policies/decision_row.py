"""The log row of a decision: the whole snapshot, from which the decision can be redrawn and explained."""

from __future__ import annotations

from policies.catalogue.rulebook import Rulebook
from policies.decision import Decision
from policies.records.arms import HOLDOUT, TREATMENT
from policies.records.request import Request
from policies.records.rows import DecisionRow, PolicyRecord, Scalar, pack
from policies.rules.rules import RULES

HOLD_BY_POLICY = "policy"
NO_ELIGIBLE_ACTION = "no_eligible_action"
LOST_RACE = "lost_race"
DEGRADED = "degraded"


def hold_reason(decision: Decision) -> str | None:
    """Return why nothing is sent, None for a send."""
    if decision.is_send:
        return None
    if decision.held_out and not all(trigger.critical for trigger in decision.request.triggers):
        return HOLDOUT  # a rule that does not bind critical triggers
    return HOLD_BY_POLICY if decision.has_eligible_send else NO_ELIGIBLE_ACTION


def decision_row(
    decision: Decision, *, lost_race: bool = False, answer: str = "", fingerprint: str = ""
) -> DecisionRow:
    """Return the log row of a decision.

    With ``lost_race`` the row keeps the drawn send and its propensity, but nothing was delivered: drawn and
    delivered are two facts.
    """
    request, rulebook, action, send = decision.request, decision.rulebook, decision.action, decision.send
    is_delivered = send is not None and not lost_race
    return DecisionRow(
        at=request.now,
        event_id=request.event_id,
        shopper_id=request.shopper_id,
        fingerprint=fingerprint,
        triggers=request.triggers,
        context=decision.context,
        catalogue_version=rulebook.version,
        rules_version=RULES.version,
        policy=decision.policy.record,
        arm=_arm(held_out=decision.held_out),
        answer=answer,
        verdicts=pack(decision.verdicts),
        probabilities=pack(decision.probabilities),
        hold_eligible=decision.hold_eligible,
        drawn=decision.drawn,
        drawn_trigger=decision.trigger,
        message=action.message if action else None,
        channel=action.channel if action else None,
        category=send.category if send else None,
        delay_s=action.delay_s if action else None,
        propensity=decision.propensity,
        p_out=decision.p_out,
        p_click=decision.p_click,
        hold_reason=LOST_RACE if lost_race else hold_reason(decision),
        send_at=send.send_at if send and is_delivered else None,
        window_ends_at=send.window_ends_at if send and is_delivered else None,
        cost=send.cost if send else 0.0,
        deferred=request.deferred and action is not None,
        numbers=decision.numbers,
    )


def _arm(*, held_out: bool) -> str:
    return HOLDOUT if held_out else TREATMENT


def degraded_row(
    request: Request, rulebook: Rulebook, policy: PolicyRecord, context: dict[str, Scalar], *, held_out: bool
) -> DecisionRow:
    """Return the log row of a request that was not decided because the shopper's state could not be read.

    The answer is HOLD: nothing is sent without the guardrails.
    """
    return DecisionRow(
        at=request.now,
        event_id=request.event_id,
        shopper_id=request.shopper_id,
        fingerprint="",
        triggers=request.triggers,
        context=context,
        catalogue_version=rulebook.version,
        rules_version=RULES.version,
        policy=policy,
        arm=_arm(held_out=held_out),
        answer="",
        hold_reason=DEGRADED,
    )
