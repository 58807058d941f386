"""Parsing: from the bytes of a body to its fields; every mistake is named by the path of its field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
from pydantic import TypeAdapter, ValidationError

from decision_service.errors import FieldError, Invalid, Malformed, ServiceError
from decision_service.schemas.body_types import Body, StructBody

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
"""The pattern of names. It is the only pattern in bodies: any other form of a text has a check with its own message."""

_SPELLED_CHARACTER = re.compile(rb"\\(?:[bfnrt]|u00[0-7])")
"""An escape that may spell a control character, which no name may have, or a digit."""
_SEVEN_DECIMALS = re.compile(rb"\.[0-9]{7}")
"""Seven decimals, which may belong to a time: msgspec rounds a time to microseconds, and pydantic cuts it."""

BodyType = TypeVar("BodyType", bound=Body | StructBody)
StructType = TypeVar("StructType", bound=StructBody)


def parse(kind: type[BodyType], raw: bytes) -> BodyType:
    """Read a body from JSON.

    Raises
    ------
    Malformed
        When the body is not JSON.
    Invalid
        When fields are wrong; every one is named with its reason.
    """
    if issubclass(kind, StructBody) and (fast := parse_fast(kind, raw)) is not None:
        return fast
    body: BodyType = parse_carefully(kind, raw)
    return body


def parse_carefully(kind: Any, raw: bytes) -> Any:
    """Read a body with pydantic, which names every mistake."""
    try:
        return _validator(kind).validate_json(raw)
    except ValidationError as error:
        raise _error_of(error, raw) from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None


def parse_fast(kind: type[StructType], raw: bytes) -> StructType | None:
    """Read a body with msgspec; return None where pydantic must read it, because of mistakes or of rare characters."""
    if b"\x7f" in raw or _SPELLED_CHARACTER.search(raw) or _SEVEN_DECIMALS.search(raw):
        return None
    try:
        body: StructType = _decoder(kind).decode(raw)
        return body
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


@cache
def _validator(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


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


def parse_item(kind: type[BodyType], item: Mapping[str, Any]) -> BodyType:
    """Read a document that was parsed as JSON already; times are still text.

    Raises
    ------
    Malformed
        When it is nested too deeply.
    Invalid
        When fields are wrong; every one is named with its reason.
    """
    try:
        return parse(kind, json.dumps(item).encode())
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None


def parse_loosely(raw: bytes) -> Any:
    """Read JSON with anything that Python's reader forgives: NaN, halves of characters, bytes that are no UTF-8.

    Raises
    ------
    Malformed
        When even that cannot read it.
    """
    try:
        return json.loads(raw.decode("utf-8", "surrogateescape"), parse_int=_parse_integer)
    except ValueError as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None


def _parse_integer(digits: str) -> float:
    """Read an integer; Python refuses to read thousands of digits."""
    return int(digits) if len(digits) < 400 else float(digits)


def invalid_fields(details: Iterable[Mapping[str, Any]]) -> Invalid:
    """Make an error that names wrong fields from pydantic's details."""
    return Invalid.fields([_field_error(detail) for detail in details])


def _error_of(error: ValidationError, raw: bytes) -> ServiceError:
    details = error.errors(include_url=False, include_input=False)
    if details[0]["type"] != "json_invalid":
        return invalid_fields(dict(detail) for detail in details)
    return _error_of_texts(raw) or Malformed(details[0]["msg"])


def _error_of_texts(raw: bytes) -> Invalid | None:
    """Name the texts of a body with half a character; None where something else is wrong with its JSON."""
    try:
        document = json.loads(raw.decode())
    except (ValueError, RecursionError):
        return None
    errors = [FieldError(path or "body", "has half a character (a lone surrogate)") for path in _broken_texts(document)]
    return Invalid.fields(errors) if errors else None


def _broken_texts(value: object, path: str = "") -> Iterator[str]:
    match value:
        case str() if not _is_unicode(value):
            yield path
        case dict():
            for name, member in value.items():
                if _is_unicode(name):
                    yield from _broken_texts(member, f"{path}.{name}".lstrip("."))
                else:
                    yield path
        case list():
            for number, member in enumerate(value):
                yield from _broken_texts(member, f"{path}.{number}".lstrip("."))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _field_error(detail: Mapping[str, Any]) -> FieldError:
    path = [str(part) for part in detail["loc"]]
    message = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if detail["type"] == "extra_forbidden":
        message = "is not a known field"
    elif detail["type"] == "string_pattern_mismatch":
        message = "must have no control characters, and at least one other"
    return FieldError(".".join(path) or "body", message)
