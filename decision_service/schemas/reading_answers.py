"""Answers of the inspector, the timeline and the export."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from decision_service.schemas.decision_answer import ActionAnswer, Instant
from decision_service.schemas.preferences import PreferencesAnswer
from policies.records.outcomes import OutcomeType
from policies.records.rows import PolicyRecord, Scalar
from policies.sends.status import Status


class ActivationAnswer(msgspec.Struct):
    """The answer of the activation gate."""

    at: Instant
    deliver: bool
    reason: str | None
    left_at: Annotated[Instant | None, Meta(description="When the send left; null of a refusal.")]


class VoidedAnswer(msgspec.Struct):
    """What made the send void before its send time: a withdrawal of consent, or an event that ended its trigger."""

    at: Instant
    by: Annotated[
        str | None,
        Meta(
            description="`opt_out` or `complaint` about another send, `preferences`, or `erasure`; of a `superseded` "
            "send the type of the event, such as `purchase`"
        ),
    ]
    log_position: int | None


class OutcomeAnswer(msgspec.Struct):
    """An outcome."""

    type: OutcomeType
    at: Instant
    logged_at: Instant
    value: float
    feedback_id: str | None
    late: Annotated[
        bool, Meta(description="Missed the attribution window: learned as a correction, or as a bounce only reported.")
    ]
    machine: Annotated[bool | UnsetType, Meta(description="A scanner did it, not the shopper.")] = UNSET
    permanent: Annotated[
        bool | UnsetType, Meta(description="Of a bounce: the channel does not reach the shopper any more.")
    ] = UNSET


class _Fated(msgspec.Struct, kw_only=True):
    status: Annotated[
        Status,
        Meta(
            description="`held`; a send: `waiting` for its activation, `scheduled`, `sent`; or kept back: `expired` "
            "without activation or asked about too late, `refused` by the activation gate, `cancelled`, `bounced`, "
            "`voided` by a withdrawal of consent, `superseded` by an event that ended the trigger."
        ),
    ]
    deferred: bool
    activation: ActivationAnswer | None
    left_at: Annotated[
        Instant | None, Meta(description="When the activation gate let the send leave; null where it did not.")
    ]
    cancelled_at: Instant | None
    voided: VoidedAnswer | None
    outcomes: list[OutcomeAnswer]


class EntryAnswer(_Fated, kw_only=True):
    """One decision of a timeline."""

    event_id: str
    log_position: int
    at: Instant
    triggers: list[str]
    decision: str
    hold_reason: str | None
    action: ActionAnswer | None
    category: str | None
    trigger: str | None
    send_at: Instant | None
    arm: str
    mode: str
    eligible: Annotated[int, Meta(description="Size of the eligible set, HOLD included.")]
    excluded: Annotated[dict[str, int], Meta(description="Excluded joint actions by their first reason.")]


class TimelineAnswer(msgspec.Struct):
    """A page of a timeline, the latest decision first."""

    shopper_id: str
    decisions: list[EntryAnswer]
    next_before: int | None


class TriggerAnswer(msgspec.Struct):
    """A trigger, with the catalogue's defaults filled in."""

    type: str
    priority: int
    critical: bool
    occurred_at: Annotated[Instant | None, Meta(description="When it happened; null: the caller did not say.")]
    expires_at: Instant
    ends_on: Annotated[list[str], Meta(description="The types of shopper events that end the trigger.")]
    attributes: dict[str, Scalar]


class ChanceAnswer(msgspec.Struct, omit_defaults=True):
    """A member of the eligible set: a send, or HOLD (`{"hold": true}`)."""

    probability: float
    message: str = ""
    channel: str = ""
    delay_s: int = 0
    hold: bool = False


class ExcludedActionAnswer(ActionAnswer, frozen=True):
    """An excluded joint action and its first reason."""

    reason: str


class RewardAnswer(msgspec.Struct):
    """The reward as known now."""

    value: float
    gain: float
    cost: float
    version: int
    order_weight: Annotated[
        float,
        Meta(
            description="How much of the orders, less their refunds, the gain holds: 1 with a click, else the "
            "catalogue's `reward.view_through`."
        ),
    ]


class LearnedAnswer(msgspec.Struct, omit_defaults=True):
    """What was learned from it and when."""

    status: Annotated[
        str,
        Meta(description="`never` and why, `awaiting_activation`, `window_open`, `window_closed`, `learned`"),
    ]
    reason: str = ""
    closes_at: str = ""
    closed_at_position: int = 0
    first_version: int | None = None


class NumbersAnswer(msgspec.Struct):
    """The numbers about the shopper that the policy saw; a list has one number per delay of the catalogue."""

    presence: Annotated[
        list[float],
        Meta(
            description="Log of the shopper's activity at the time of the send, against an even week; empty: unknown."
        ),
    ]
    load: Annotated[list[float], Meta(description="Fatigue at the time of the send.")]
    own_rate: Annotated[float, Meta(description="log((clicks + 1) ÷ (expected clicks + 1))")]
    own_channel: Annotated[dict[str, float], Meta(description="The same by channel; without zeros.")]
    own_category: Annotated[dict[str, float], Meta(description="The same by category of the message; without zeros.")]
    topic_load: Annotated[dict[str, list[float]], Meta(description="Fatigue by category of the product.")]
    affinity: Annotated[
        dict[str, float], Meta(description="The share of the shopper's interest by category of the product.")
    ]


class DecisionAnswer(_Fated, kw_only=True):
    """One decision: context, distribution, draw, status, outcomes, reward, learning."""

    event_id: str
    shopper_id: str
    at: Instant
    log_position: int
    decision: str
    hold_reason: str | None
    drawn: Annotated[ActionAnswer | str | None, Meta(description="The drawn send, or `HOLD`; null: nothing was drawn.")]
    category: str | None
    cost: float
    propensity: float | None
    p_out: Annotated[
        float | None, Meta(description="The predicted probability of an opt-out; null: none was predicted.")
    ]
    p_click: Annotated[
        float | None, Meta(description="The predicted probability of a click; null: none was predicted.")
    ]
    send_at: Instant | None
    attribution_ends_at: Instant | None
    triggers: list[TriggerAnswer]
    trigger: Annotated[str | None, Meta(description="The trigger that the drawn send answers.")]
    context: dict[str, Scalar]
    numbers: Annotated[
        NumbersAnswer | None, Meta(description="null: no send was eligible, or an earlier version decided.")
    ]
    policy: PolicyRecord
    arm: str
    catalogue_version: int
    rules_version: int
    distribution: Annotated[list[ChanceAnswer], Meta(description="The eligible set, the most probable first.")]
    excluded: list[ExcludedActionAnswer]
    reward: Annotated[RewardAnswer | None, Meta(description="null for what did not leave.")]
    learned: LearnedAnswer


class StoredRowAnswer(msgspec.Struct):
    """A row of the log."""

    log_position: int
    watermark: float
    content: Annotated[
        dict[str, Any],
        Meta(
            description="The row as stored; its kind is `row`. Times are seconds since 1970, UTC. `verdicts` and "
            "`probabilities` of a decision are packed (a colon, and raw deflate in base64; without a colon, zlib in "
            "base85), and `numbers` is a list of the fields of `Numbers`; `GET /v1/decisions/{event_id}` spells "
            "them out."
        ),
    ]


class ShopperAnswer(msgspec.Struct):
    """All that is stored about a shopper."""

    shopper_id: str
    as_of: Instant
    preferences: PreferencesAnswer
    state: Annotated[dict[str, Any], Meta(description="What decisions rest on, folded from the rows.")]
    features: Annotated[dict[str, Scalar], Meta(description="The context that a decision would have as of now.")]
    rows: list[StoredRowAnswer]
