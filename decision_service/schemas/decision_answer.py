"""Answers: what a caller is told of a decision."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import msgspec

from policies.decide import Decision
from policies.decision_row import DEGRADED
from policies.records.reasons import Reason
from policies.records.rows import DecisionRow, PolicyRecord


class ActionAnswer(msgspec.Struct, frozen=True):
    """The notification to send."""

    message: str
    channel: str
    delay_s: int


class ExcludedAnswer(msgspec.Struct, frozen=True):
    """How many joint actions of a channel were excluded for a reason."""

    channel: str
    reason: str
    count: int


class Answer(msgspec.Struct, frozen=True):
    """The answer to a request for a decision; on hold everything about a send is null."""

    event_id: str
    decision: str
    hold_reason: str | None
    action: ActionAnswer | None
    trigger: str | None
    send_at: str | None
    content: dict[str, object] | None
    propensity: float | None
    policy: PolicyRecord
    arm: str
    eligible: int
    excluded: list[ExcludedAnswer]
    attribution_ends_at: str | None

    def encode(self) -> bytes:
        """Write the answer as JSON."""
        return msgspec.json.encode(self)


def iso(at: float) -> str:
    """Write a time as on the wire.

    >>> iso(1_700_000_000.5)
    '2023-11-14T22:13:20.500000Z'
    >>> iso(1_700_000_000.0)
    '2023-11-14T22:13:20Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def optional_iso(at: float | None) -> str | None:
    """Write a time as on the wire, None for none."""
    return None if at is None else iso(at)


def answer(decision: Decision, row: DecisionRow) -> Answer:
    """Tell the caller what was decided; ``row`` says whether it was delivered."""
    sends = row.is_delivered
    action = decision.action if sends else None
    trigger = decision.trigger if sends else None
    return Answer(
        event_id=row.event_id,
        decision="send" if sends else "hold",
        hold_reason=row.hold_reason,
        action=ActionAnswer(*action) if action else None,
        trigger=None if trigger is None else row.triggers[trigger].type,
        send_at=optional_iso(row.send_at),
        content=_content(decision) if sends else None,
        propensity=row.propensity,
        policy=row.policy,
        arm=row.arm,
        eligible=decision.eligibility.size,
        excluded=_excluded(decision),
        attribution_ends_at=optional_iso(row.window_ends_at),
    )


def degraded_answer(row: DecisionRow) -> Answer:
    """Tell the caller that nothing is sent because the shopper's state is away."""
    return Answer(
        event_id=row.event_id,
        decision="hold",
        hold_reason=DEGRADED,
        action=None,
        trigger=None,
        send_at=None,
        content=None,
        propensity=None,
        policy=row.policy,
        arm=row.arm,
        eligible=0,
        excluded=[],
        attribution_ends_at=None,
    )


def _content(decision: Decision) -> dict[str, object] | None:
    if decision.action is None or decision.trigger is None:
        return None
    trigger, rulebook = decision.request.triggers[decision.trigger], decision.rulebook
    template = rulebook.contents.template(decision.action.message, decision.action.channel, decision.eligibility.locale)
    if template is None:
        return None
    data = {"trigger": trigger.type, **trigger.attributes}
    return {**template.render(trigger.attributes), "data": data}


def _excluded(decision: Decision) -> list[ExcludedAnswer]:
    """Count every excluded joint action once, under its first reason."""
    verdicts, space = decision.eligibility.verdicts, decision.rulebook.space
    out = (verdicts != Reason.eligible) & (verdicts != Reason.not_a_candidate)
    pairs = zip(space.channel_of[out].tolist(), verdicts[out].tolist(), strict=True)
    return [
        ExcludedAnswer(space.channels[channel], Reason(reason).name, count)
        for (channel, reason), count in sorted(Counter(pairs).items())
    ]
