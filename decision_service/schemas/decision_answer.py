"""The answer to a request for a decision: a send, or a hold with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from decision_service.errors import FieldError
from policies.catalogue.action_space import JointAction
from policies.catalogue.template_table import LocalTemplate
from policies.catalogue.templates.template import DATA
from policies.decision import Decision
from policies.exclusions import ExclusionCount
from policies.records.rows import DecisionRow, PolicyRecord, TriggerRecord

Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""A time in UTC, as `iso` writes it."""

Moment = Annotated[datetime, Meta(tz=True)]
"""A time in UTC: an answer that is encoded has it as `iso` writes it."""

HoldReason = Literal["policy", "no_eligible_action", "lost_race", "holdout", "degraded"]


class ActionAnswer(msgspec.Struct, frozen=True):
    """The notification to send."""

    message: str
    channel: str
    delay_s: int


Content = Annotated[
    dict[str, Any],
    Meta(
        description="The filled-in parts of the template by their names, and `data`: the attributes of the trigger "
        "(those that the message names, or all), its type as `trigger`, and `event_id`.",
        extra_json_schema={
            "properties": {
                "body": {"type": "string"},
                "data": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
            },
            "required": ["body", "data"],
            "additionalProperties": {"type": "string"},
        },
    ),
]
Propensity = Annotated[
    float, Meta(description="The exact probability with which the drawn joint action (HOLD included) was drawn.")
]
Ignored = Annotated[
    list[FieldError] | UnsetType,
    Meta(description="Attributes of the triggers that were left out because they are too long or too large."),
]
Eligible = Annotated[int, Meta(description="Size of the eligible set, HOLD included.")]


class SendAnswer(msgspec.Struct, frozen=True):
    """Send this notification at this time."""

    event_id: str
    decision: Literal["send"]
    hold_reason: None
    action: ActionAnswer
    trigger: Annotated[str, Meta(description="The type of the trigger that the send answers.")]
    send_at: Moment
    content: Content
    propensity: Propensity
    policy: PolicyRecord
    arm: str
    eligible: Eligible
    excluded: tuple[ExclusionCount, ...]
    attribution_ends_at: Moment
    locale: Annotated[
        str, Meta(description="The locale of the template, as the catalogue writes it; not in answers of old versions.")
    ] = ""
    ignored: Ignored = UNSET

    def encode(self) -> bytes:
        """Write the answer as JSON."""
        return msgspec.json.encode(self)


class HoldAnswer(msgspec.Struct, frozen=True):
    """Send nothing; everything about a send is null."""

    event_id: str
    decision: Literal["hold"]
    hold_reason: Annotated[
        HoldReason,
        Meta(
            description="`policy`: the policy drew HOLD; `lost_race`: a rule turned against the drawn send before its "
            "place was reserved; `degraded`: the shopper's state is away, and nothing is sent unguarded."
        ),
    ]
    action: None
    trigger: None
    send_at: None
    content: None
    propensity: Annotated[Propensity | None, Meta(description="null: nothing was drawn.")]
    policy: PolicyRecord
    arm: str
    eligible: Eligible
    excluded: tuple[ExclusionCount, ...]
    attribution_ends_at: None
    locale: None = None
    next_possible_at: Annotated[
        Instant | UnsetType | None,
        Meta(
            description="Of `no_eligible_action` and `lost_race` alone: the earliest time at which this request, "
            "decided then with nothing else happened, would have an eligible send; null: before every trigger has "
            "expired there is no such time."
        ),
    ] = UNSET
    ignored: Ignored = UNSET

    def encode(self) -> bytes:
        """Write the answer as JSON."""
        return msgspec.json.encode(self)


Answer = SendAnswer | HoldAnswer
"""The answer to a request for a decision; `decision` says which."""


def iso(at: float) -> str:
    """Write a time as on the wire.

    >>> iso(1_700_000_000.5)
    '2023-11-14T22:13:20.500000Z'
    >>> iso(1_700_000_000.0)
    '2023-11-14T22:13:20Z'
    """
    return f"{_moment(at).isoformat()[:-6]}Z"


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def optional_iso(at: float | None) -> str | None:
    """Write a time as on the wire, None for none."""
    return None if at is None else iso(at)


def answer(decision: Decision, row: DecisionRow, next_possible_at: float | UnsetType | None = UNSET) -> Answer:
    """Write the answer to a decision; ``row`` says whether a send leaves.

    ``next_possible_at`` is for a hold that should say when to ask again.
    """
    action = decision.action
    if not row.is_delivered or action is None:
        at = next_possible_at if next_possible_at is UNSET else optional_iso(next_possible_at)
        return _hold(row, decision.size, decision.exclusions, decision.request.ignored, at)
    trigger = row.triggers[row.drawn_trigger or 0]
    template = _find_template(decision, action)
    return SendAnswer(
        event_id=row.event_id,
        decision="send",
        hold_reason=None,
        action=ActionAnswer(*action),
        trigger=trigger.type,
        send_at=_moment(cast(float, row.send_at)),
        content=_content(row.event_id, trigger, decision.rulebook.catalogue.messages[action.message].data, template),
        propensity=cast(float, row.propensity),
        policy=row.policy,
        arm=row.arm,
        eligible=decision.size,
        excluded=decision.exclusions,
        attribution_ends_at=_moment(cast(float, row.window_ends_at)),
        locale=template.locale,
        ignored=_ignored_fields(decision.request.ignored),
    )


def degraded_answer(row: DecisionRow, ignored: Mapping[str, str] = MappingProxyType({})) -> Answer:
    """Write the answer while the shopper's state is away: nothing is sent."""
    return _hold(row, eligible=0, excluded=(), ignored=ignored)


def _hold(
    row: DecisionRow,
    eligible: int,
    excluded: tuple[ExclusionCount, ...],
    ignored: Mapping[str, str],
    next_possible_at: str | UnsetType | None = UNSET,
) -> HoldAnswer:
    return HoldAnswer(
        event_id=row.event_id,
        decision="hold",
        hold_reason=cast(HoldReason, row.hold_reason),
        action=None,
        trigger=None,
        send_at=None,
        content=None,
        propensity=row.propensity,
        policy=row.policy,
        arm=row.arm,
        eligible=eligible,
        excluded=excluded,
        attribution_ends_at=None,
        next_possible_at=next_possible_at,
        ignored=_ignored_fields(ignored),
    )


def _ignored_fields(reasons: Mapping[str, str]) -> list[FieldError] | UnsetType:
    return [FieldError(path, reason) for path, reason in reasons.items()] if reasons else UNSET


def _find_template(decision: Decision, action: JointAction) -> LocalTemplate:
    templates, locale = decision.rulebook.templates, decision.locale
    # Without a template the action would have been excluded as `no_content`.
    return cast(LocalTemplate, templates.find(action.message, action.channel, locale))


def _content(
    event_id: str, trigger: TriggerRecord, wanted: Sequence[str] | None, template: LocalTemplate
) -> dict[str, object]:
    """Return the parts of the notification, and its data: the attributes, and what the service itself adds.

    With ``wanted`` the data have these attributes alone.
    """
    attributes = trigger.attributes
    names = attributes if wanted is None else wanted
    data = {name: attributes[name] for name in names if name in attributes}
    data |= {"trigger": trigger.type, "event_id": event_id}
    return {**template.render(attributes), DATA: data}
