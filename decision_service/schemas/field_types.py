"""The types of fields that bodies share, with their limits.

If structs use a type too, its limits stand twice in the annotation: `Meta` for msgspec, `Field` for pydantic. A
property test compares the two readers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainValidator

from decision_service.schemas.parsing import PRINTABLE
from decision_service.state.shopper_keys import ERASED, is_pseudonym
from policies.catalogue.wording import Form
from policies.records.rows import Scalar

ABOUT_A_SHOPPER = ("/preferences", "/timeline")
"""How paths about a part of a shopper end; a shopper whose id ends so could not be exported or erased alone."""
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def check_year(time: datetime) -> datetime:
    """Return a time, or raise ``ValueError`` if its year is out of the range."""
    if not _EARLIEST <= time < _LATEST:
        raise ValueError("must lie between the years 2000 and 2200")
    return time


def check_shopper_id(shopper_id: str) -> str:
    """Return the id of a shopper, or raise ``ValueError`` if other parts of the service would misread it."""
    if is_pseudonym(shopper_id):
        raise ValueError(f"must not begin with {ERASED!r}, which names shoppers who were erased")
    if shopper_id.endswith(ABOUT_A_SHOPPER):
        raise ValueError(f"must not end with {' or '.join(ABOUT_A_SHOPPER)}: in a path, those name parts of a shopper")
    return shopper_id


# msgspec needs no pattern: `parse_fast` gives msgspec no body that may contain a control character.
Identifier = Annotated[str, Meta(min_length=1, max_length=255), Field(min_length=1, max_length=255, pattern=PRINTABLE)]
Name = Annotated[str, Meta(min_length=1, max_length=100), Field(min_length=1, max_length=100, pattern=PRINTABLE)]
ShopperId = Annotated[Identifier, AfterValidator(check_shopper_id)]
Currency = Annotated[str, Form("[A-Z]{3}", "must be a currency of ISO 4217 in three capital letters, such as EUR")]
Time = Annotated[datetime, Meta(tz=True), AwareDatetime, AfterValidator(check_year)]


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
    bool
    | Annotated[int, Meta(ge=-_LARGEST, le=_LARGEST)]
    | Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
    | Annotated[str, Meta(max_length=_LONGEST)],
    PlainValidator(
        _check_scalar, json_schema_input_type=bool | int | float | Annotated[str, Field(max_length=_LONGEST)]
    ),
]
Attributes = Annotated[dict[Name, Value], Meta(max_length=100), Field(max_length=100)]
_AttributesOrNulls = Annotated[dict[Name, Value | None], Field(max_length=100)]
EventAttributes = Annotated[Attributes, BeforeValidator(_drop_nulls, json_schema_input_type=_AttributesOrNulls)]
"""A null attribute counts as absent."""

_AnyValue = Annotated[
    Scalar | None, PlainValidator(_check_type_or_null, json_schema_input_type=bool | int | float | str | None)
]
TriggerAttributes = Annotated[
    dict[Name, _AnyValue],
    Meta(max_length=100),
    Field(
        max_length=100,
        description="A null attribute counts as absent; so does a text of more than 1,000 characters or a number "
        "beyond 2^53, which the answer names in `ignored`.",
    ),
]
