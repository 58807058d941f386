"""Bodies of a decide as the version before read them: by pydantic alone. The reading and the words must stay.

A copy, so that a change of the types in force cannot change what they are compared with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainValidator

from decision_service.schemas.parsing import parse_carefully
from decision_service.state.shopper_keys import ERASED, is_pseudonym

_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
_ABOUT_A_SHOPPER = ("/preferences", "/timeline")


def _check_year(time: datetime) -> datetime:
    if not datetime(2000, 1, 1, tzinfo=UTC) <= time < datetime(2200, 1, 1, tzinfo=UTC):
        raise ValueError("must lie between the years 2000 and 2200")
    return time


def _check_shopper_id(shopper_id: str) -> str:
    if is_pseudonym(shopper_id):
        raise ValueError(f"must not begin with {ERASED!r}, which names shoppers who were erased")
    if shopper_id.endswith(_ABOUT_A_SHOPPER):
        raise ValueError(f"must not end with {' or '.join(_ABOUT_A_SHOPPER)}: in a path, those name parts of a shopper")
    return shopper_id


def _check_type(value: object) -> Any:
    if not isinstance(value, bool | int | float | str):
        raise ValueError("must be a number, a string or a boolean")
    if value != value:
        raise ValueError("must be a finite number of at most 2^53")
    return value


def _why_too_large(value: Any) -> str | None:
    if isinstance(value, str):
        return None if len(value) <= 1_000 else "must have at most 1000 characters"
    return None if abs(value) <= 2**53 else "must be a finite number of at most 2^53"


def _check_value(value: object) -> Any:
    scalar = _check_type(value)
    if (reason := _why_too_large(scalar)) is not None:
        raise ValueError(reason)
    return scalar


def _check_type_or_null(value: object) -> Any:
    return None if value is None else _check_type(value)


_Identifier = Annotated[str, Field(min_length=1, max_length=255, pattern=_PRINTABLE)]
_Name = Annotated[str, Field(min_length=1, max_length=100, pattern=_PRINTABLE)]
_Time = Annotated[AwareDatetime, AfterValidator(_check_year)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Trigger(_Body):
    type: _Name
    priority: Annotated[int, Field(ge=0, le=1_000)] | None = None
    critical: bool | None = None
    expires_at: _Time | None = None
    attributes: Annotated[dict[_Name, Annotated[Any, PlainValidator(_check_type_or_null)]], Field(max_length=100)] = {}
    occurred_at: _Time | None = None


class _Exclusion(_Body):
    message: _Name | None = None
    channel: _Name | None = None
    delay_s: Annotated[int, Field(ge=0, le=2**53)] | None = None


class EarlierDecideBody(_Body):
    """The body of a decide."""

    event_id: _Identifier | None = None
    shopper_id: Annotated[_Identifier, AfterValidator(_check_shopper_id)]
    triggers: Annotated[list[_Trigger], Field(min_length=1, max_length=20)]
    context: Annotated[dict[_Name, Annotated[Any, PlainValidator(_check_value)]], Field(max_length=100)] = {}
    exclude: Annotated[list[_Exclusion], Field(max_length=100)] = []
    defer_activation: bool = False
    dry_run: bool = False
    now: _Time | None = None


def parse_earlier(raw: bytes) -> EarlierDecideBody:
    """Read a body as the version before did, or raise the error that it raised."""
    body: EarlierDecideBody = parse_carefully(EarlierDecideBody, raw)
    return body


def earlier_fingerprint(body: EarlierDecideBody) -> str:
    """Return the fingerprint that the version before stored for a body."""
    content = body.model_dump(exclude={"event_id"})
    content["triggers"] = [_without_absent(trigger) for trigger in content["triggers"]]
    encoded = msgspec.json.encode(_plain(content), order="deterministic")
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


def _without_absent(trigger: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in trigger.items() if value is not None or name != "occurred_at"}
    kept = {name: value for name, value in trigger["attributes"].items() if value is not None}
    return fields | {"attributes": {name: value for name, value in kept.items() if _why_too_large(value) is None}}


def _plain(value: object) -> object:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case datetime():
            return _plain(value.timestamp())
        case float() if value.is_integer():
            return int(value)
    return value
