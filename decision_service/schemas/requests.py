"""Requests: the bodies that callers send, validated strictly; unknown fields are refused by name."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from msgspec import Meta, field
from pydantic import Field, ValidationInfo, field_validator

from decision_service.schemas.body_types import Body, StructBody
from decision_service.schemas.field_types import (
    Attributes,
    Currency,
    EventAttributes,
    Identifier,
    Name,
    ShopperId,
    Time,
    TriggerAttributes,
    check_shopper_id,
    check_year,
)
from policies.records.outcomes import BY_MACHINES, TAKING_BACK, VALUED, OutcomeType
from policies.records.shopper_events import ShopperEventType


class TriggerBody(StructBody, frozen=True, kw_only=True):
    """Something that happened to the shopper; an absent field comes from the catalogue."""

    type: Name
    priority: Annotated[int, Meta(ge=0, le=1_000), Field(ge=0, le=1_000)] | None = None
    critical: bool | None = None
    expires_at: Time | None = None
    attributes: TriggerAttributes = field(default_factory=dict)
    occurred_at: Annotated[
        Time | None,
        Field(description="When it happened (default: now). The expiry of the catalogue counts from this time."),
    ] = None

    def __post_init__(self) -> None:
        if self.expires_at is not None:
            check_year(self.expires_at)
        if self.occurred_at is not None:
            check_year(self.occurred_at)


class ExclusionBody(StructBody, frozen=True, kw_only=True):
    """A pattern with names of the catalogue: a joint action that matches all its fields is not eligible.

    At least one field is needed: a pattern without any would forbid everything.
    """

    message: Name | None = None
    channel: Name | None = None
    delay_s: Annotated[int, Meta(ge=0, le=2**53), Field(ge=0, le=2**53)] | None = None


class DecideBody(StructBody, frozen=True, kw_only=True):
    """A request for a decision."""

    event_id: Identifier | None = None
    shopper_id: ShopperId
    triggers: Annotated[list[TriggerBody], Meta(min_length=1, max_length=20), Field(min_length=1, max_length=20)]
    context: Attributes = field(default_factory=dict)
    exclude: Annotated[list[ExclusionBody], Meta(max_length=100), Field(max_length=100)] = field(default_factory=list)
    defer_activation: bool = False
    dry_run: bool = False
    now: Time | None = None

    def __post_init__(self) -> None:
        check_shopper_id(self.shopper_id)
        if self.now is not None:
            check_year(self.now)


class BatchBody(StructBody, frozen=True, kw_only=True):
    """Several requests for decisions, each validated by itself, so that a bad one fails alone."""

    decisions: Annotated[list[DecideBody], Meta(min_length=1, max_length=1_000), Field(min_length=1, max_length=1_000)]


FieldValue = TypeVar("FieldValue")
_TYPES_WITH = {
    "value": sorted(VALUED),
    "currency": sorted(VALUED),
    "machine": sorted(BY_MACHINES),
    "permanent": sorted(TAKING_BACK),
}
"""Field of an outcome → the types that can have it."""


class OutcomeBody(Body):
    """An outcome of a decision. A conversion or a refund needs a ``feedback_id`` or an ``at``."""

    event_id: Identifier
    type: OutcomeType
    at: Time | None = None
    feedback_id: Annotated[
        Identifier | None,
        Field(description="The caller's id, unique per decision and type: it makes a retry a `duplicate`."),
    ] = None
    value: Annotated[
        Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e9, strict=True)] | None,
        Field(description="Of a conversion: the value of the order; of a refund: what is taken off it."),
    ] = None
    currency: Annotated[
        Currency | None,
        Field(description="Of the value. Another currency than the catalogue's is `invalid`."),
    ] = None
    machine: Annotated[
        bool,
        Field(description="A scanner opened or clicked, not the shopper: reported apart, counted nowhere else."),
    ] = False
    permanent: Annotated[
        bool, Field(description="Of a bounce: the channel is unreachable until preferences say otherwise.")
    ] = False

    @field_validator("value", "currency", "machine", "permanent")
    @classmethod
    def _belong_to_the_type(cls, value: FieldValue, info: ValidationInfo) -> FieldValue:
        types = _TYPES_WITH[info.field_name or ""]
        if value and info.data.get("type", types[0]) not in types:
            raise ValueError(f"only {' or '.join(f'a {name}' for name in types)} can have it")
        return value


class ShopperEventBody(Body):
    """Something a shopper did. A purchase or a refund needs an ``id`` or an ``at``.

    A purchase has its ``value`` and perhaps its ``currency`` among the attributes; a refund has the value that is taken
    off.
    """

    shopper_id: ShopperId
    type: ShopperEventType
    at: Time | None = None
    attributes: EventAttributes = Field(default={})
    id: Annotated[
        Identifier | None,
        Field(description="The caller's id, unique per shopper and type: it makes a retry a `duplicate`."),
    ] = None


class ItemsBody(Body):
    """A list of items, each validated by itself."""

    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1_000)]
    now: Time | None = None


class OutcomesBody(ItemsBody):
    """Outcomes of decisions."""


class ShopperEventsBody(ItemsBody):
    """Events of shoppers."""


class MomentBody(Body):
    """The time of the call (request clock only); empty otherwise."""

    now: Time | None = None


class ClockBody(Body):
    """The time that is reached."""

    now: Time
