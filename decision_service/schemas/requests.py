"""Requests: the bodies that callers send, validated strictly; unknown fields are refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)

from decision_service.errors import FieldError, Invalid, Malformed, ServiceError
from decision_service.state.shopper_keys import ERASED, is_pseudonym
from policies.records.outcomes import OutcomeType
from policies.records.rows import Scalar

_ABOUT_A_SHOPPER = ("/preferences", "/timeline")
"""How paths about a part of a shopper end; a shopper whose id ends so could not be exported or erased alone."""
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _check_year(time: datetime) -> datetime:
    if not _EARLIEST <= time < _LATEST:
        raise ValueError("must lie between the years 2000 and 2200")
    return time


Identifier = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Time = Annotated[AwareDatetime, AfterValidator(_check_year)]


def _check_shopper_id(shopper_id: str) -> str:
    if is_pseudonym(shopper_id):
        raise ValueError(f"must not begin with {ERASED!r}, which names shoppers who were erased")
    if shopper_id.endswith(_ABOUT_A_SHOPPER):
        raise ValueError(f"must not end with {' or '.join(_ABOUT_A_SHOPPER)}: in a path, those name parts of a shopper")
    return shopper_id


ShopperId = Annotated[Identifier, AfterValidator(_check_shopper_id)]


def _check_scalar(value: object) -> Scalar:
    if not isinstance(value, bool | int | float | str):
        raise ValueError("must be a number, a string or a boolean")
    if isinstance(value, str) and len(value) > 1_000:
        raise ValueError("must have at most 1000 characters")
    if isinstance(value, int | float) and not abs(value) <= 2**53:  # also refuses NaN
        raise ValueError("must be a finite number of at most 2^53")
    return value


Value = Annotated[
    Scalar,
    PlainValidator(_check_scalar, json_schema_input_type=bool | int | float | Annotated[str, Field(max_length=1_000)]),
]
Attributes = Annotated[dict[Name, Value], Field(max_length=100)]


class Body(BaseModel):
    """The base of all bodies: strict types, no unknown field."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class TriggerBody(Body):
    """Something that happened to the shopper; an absent field comes from the catalogue."""

    type: Name
    priority: Annotated[int, Field(ge=0, le=1_000)] | None = None
    critical: bool | None = None
    occurred_at: Time | None = None
    expires_at: Time | None = None
    attributes: Attributes = {}


class ExclusionBody(Body):
    """A pattern: a joint action that matches all its fields is not eligible."""

    message: Name | None = None
    channel: Name | None = None
    delay_s: Annotated[int, Field(ge=0)] | None = None


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


class OutcomeBody(Body):
    """An outcome of a decision."""

    event_id: Identifier
    type: OutcomeType
    at: Time | None = None
    feedback_id: Identifier | None = None
    value: Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e9, strict=True)] | None = None


ShopperEventType = Literal[
    "page_view", "product_view", "add_to_cart", "cart_abandoned", "purchase", "session", "signup", "wishlist"
]


class ShopperEventBody(Body):
    """Something a shopper did; a purchase carries its ``value`` among the attributes."""

    shopper_id: ShopperId
    type: ShopperEventType
    at: Time | None = None
    attributes: Attributes = {}


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


BodyType = TypeVar("BodyType", bound=Body)


def parse(model: type[BodyType], raw: bytes) -> BodyType:
    """Read a body from JSON.

    Raises
    ------
    Malformed
        When the body is not JSON.
    Invalid
        When fields are wrong; every one is named with its reason.
    """
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise _error_of(error) from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None


def parse_json(raw: bytes) -> Any:
    """Read a body whose parts are validated later.

    Raises
    ------
    Malformed
        When the body is not JSON.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None


def parse_item(model: type[BodyType], item: Mapping[str, Any]) -> BodyType:
    """Read one item of a list that was parsed as JSON already; times are still text.

    Raises
    ------
    Invalid
        When fields are wrong; every one is named with its reason.
    """
    try:
        return model.model_validate_json(msgspec.json.encode(item))
    except ValidationError as error:
        raise _error_of(error) from None


def invalid_fields(details: Iterable[Mapping[str, Any]]) -> Invalid:
    """Make an error that names wrong fields from pydantic's details."""
    return Invalid.fields([_field_error(detail) for detail in details])


def _error_of(error: ValidationError) -> ServiceError:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    if details[0]["type"] == "json_invalid":
        return Malformed(details[0]["msg"])
    return invalid_fields(dict(detail) for detail in details)


def _field_error(detail: Mapping[str, Any]) -> FieldError:
    path = [str(part) for part in detail["loc"]]
    message = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if detail["type"] == "extra_forbidden":
        message = "is not a known field"
    return FieldError(".".join(path) or "body", message)
