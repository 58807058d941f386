"""Parsing: from the bytes of a body to its fields; every mistake is named by the path of its field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError

from decision_service.errors import FieldError, Invalid, Malformed, ServiceError

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
"""The only pattern of the bodies; every other text with a form is refused in words of its own."""

BodyType = TypeVar("BodyType", bound=BaseModel)


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
        raise _error_of(error, raw) from None
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
    """Read a document that was parsed as JSON already; times are still text.

    Raises
    ------
    Malformed
        When it is nested too deeply.
    Invalid
        When fields are wrong; every one is named with its reason.
    """
    try:
        return parse(model, json.dumps(item).encode())
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
