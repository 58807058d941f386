"""Requests: the bodies that callers send, validated strictly; unknown fields are refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
)

from decision_service.schemas.parsing import PRINTABLE
from decision_service.state.shopper_keys import ERASED, is_pseudonym
from policies.catalogue.wording import Form
from policies.records.outcomes import BY_MACHINES, TAKING_BACK, VALUED, OutcomeType
from policies.records.rows import Scalar
from policies.records.shopper_events import ShopperEventType

ABOUT_A_SHOPPER = ("/preferences", "/timeline")
"""How paths about a part of a shopper end; a shopper whose id ends so could not be exported or erased alone."""
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _check_year(time: datetime) -> datetime:
    if not _EARLIEST <= time < _LATEST:
        raise ValueError("must lie between the years 2000 and 2200")
    return time


Identifier = Annotated[str, Field(min_length=1, max_length=255, pattern=PRINTABLE)]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=PRINTABLE)]
Currency = Annotated[str, Form("[A-Z]{3}", "must be a currency of ISO 4217 in three capital letters, such as EUR")]
Time = Annotated[AwareDatetime, AfterValidator(_check_year)]


def _check_shopper_id(shopper_id: str) -> str:
    if is_pseudonym(shopper_id):
        raise ValueError(f"must not begin with {ERASED!r}, which names shoppers who were erased")
    if shopper_id.endswith(ABOUT_A_SHOPPER):
        raise ValueError(f"must not end with {' or '.join(ABOUT_A_SHOPPER)}: in a path, those name parts of a shopper")
    return shopper_id


ShopperId = Annotated[Identifier, AfterValidator(_check_shopper_id)]


_LONGEST, _LARGEST = 1_000, 2**53


def _check_type(value: object) -> Scalar:
    if not isinstance(value, bool | int | float | str):
        raise ValueError("must be a number, a string or a boolean")
    if value != value:
        raise ValueError("must be a finite number of at most 2^53")
    return value


def why_too_large(value: Scalar) -> str | None:
    """Return why a value is too long or too large to be kept, None where it is not.

    >>> why_too_large(2**53), why_too_large(2.0**60)
    (None, 'must be a finite number of at most 2^53')
    """
    if isinstance(value, str):
        return None if len(value) <= _LONGEST else f"must have at most {_LONGEST} characters"
    return None if abs(value) <= _LARGEST else "must be a finite number of at most 2^53"


def _check_scalar(value: object) -> Scalar:
    scalar = _check_type(value)
    if (reason := why_too_large(scalar)) is not None:
        raise ValueError(reason)
    return scalar


def _check_type_or_null(value: object) -> Scalar | None:
    return None if value is None else _check_type(value)


def _drop_nulls(attributes: object) -> object:
    if not isinstance(attributes, dict):
        return attributes
    return {name: value for name, value in attributes.items() if value is not None}


Value = Annotated[
    Scalar,
    PlainValidator(
        _check_scalar, json_schema_input_type=bool | int | float | Annotated[str, Field(max_length=_LONGEST)]
    ),
]
Attributes = Annotated[dict[Name, Value], Field(max_length=100)]
_AttributesOrNulls = Annotated[dict[Name, Value | None], Field(max_length=100)]
EventAttributes = Annotated[Attributes, BeforeValidator(_drop_nulls, json_schema_input_type=_AttributesOrNulls)]
"""A null attribute counts as absent."""

_AnyValue = Annotated[
    Scalar | None, PlainValidator(_check_type_or_null, json_schema_input_type=bool | int | float | str | None)
]
TriggerAttributes = Annotated[
    dict[Name, _AnyValue],
    Field(
        max_length=100,
        description="A null attribute counts as absent; so does a text of more than 1,000 characters or a number "
        "beyond 2^53, which the answer names in `ignored`.",
    ),
]


class Body(BaseModel):
    """The base of all bodies: strict types, no unknown field."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class TriggerBody(Body):
    """Something that happened to the shopper; an absent field comes from the catalogue."""

    type: Name
    priority: Annotated[int, Field(ge=0, le=1_000)] | None = None
    critical: bool | None = None
    expires_at: Time | None = None
    attributes: TriggerAttributes = {}
    occurred_at: Annotated[
        Time | None,
        Field(description="When it happened (default: now). The expiry of the catalogue counts from this time."),
    ] = None


class ExclusionBody(Body):
    """A pattern with names of the catalogue: a joint action that matches all its fields is not eligible.

    At least one field is needed: a pattern without any would forbid everything.
    """

    message: Name | None = None
    channel: Name | None = None
    delay_s: Annotated[int, Field(ge=0, le=2**53)] | None = None


class DecideBody(Body):
    """A request for a decision."""

    event_id: Identifier | None = None
    shopper_id: ShopperId
    triggers: Annotated[list[TriggerBody], Field(min_length=1, max_length=20)]
    context: Attributes = {}
    exclude: Annotated[list[ExclusionBody], Field(max_length=100)] = []
    defer_activation: bool = False
    dry_run: bool = False
    now: Time | None = None


class BatchBody(Body):
    """Several requests for decisions, each validated by itself, so that a bad one fails alone."""

    decisions: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1_000)]


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
    attributes: EventAttributes = {}
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
