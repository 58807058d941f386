"""Outcomes, read so that no withdrawal of consent is lost to a mistake beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from decision_service.errors import FieldError, Malformed, ServiceError
from decision_service.schemas.parsing import parse, parse_item, parse_loosely
from decision_service.schemas.requests import OutcomeBody
from policies.records.outcomes import WITHDRAWALS


def parse_outcome(raw: bytes) -> tuple[OutcomeBody, Sequence[FieldError]]:
    """Read an outcome; of a withdrawal, leave out what cannot be read, and return what is wrong with it.

    Raises
    ------
    ServiceError
        When it is no withdrawal with a readable ``event_id``, and something is wrong.
    """
    try:
        return parse(OutcomeBody, raw), ()
    except ServiceError as error:
        document = _document_of_withdrawal(raw)
        if document is None:
            raise error from None
        return _keep_readable(document)


def is_withdrawal(raw: bytes) -> bool:
    """Return whether an outcome is a withdrawal with a readable ``event_id``."""
    return _document_of_withdrawal(raw) is not None


def _document_of_withdrawal(raw: bytes) -> Mapping[str, Any] | None:
    """Return the document of a withdrawal that says which decision it is about, None for anything else."""
    try:
        document = parse_loosely(raw)
        body = parse_item(OutcomeBody, _identity(document)) if isinstance(document, dict) else None
    except ServiceError:
        return None
    return document if body is not None and body.type in WITHDRAWALS else None


def _keep_readable(document: Mapping[str, Any]) -> tuple[OutcomeBody, Sequence[FieldError]]:
    kept, ignored = _identity(document), []
    for name, value in document.items():
        try:
            parse_item(OutcomeBody, {**_identity(document), name: value})
            kept[name] = value
        except ServiceError as error:
            message = error.detail if isinstance(error, Malformed) else error.errors[0].message
            ignored.append(FieldError(name.encode("utf-8", "backslashreplace").decode(), message))
    return parse_item(OutcomeBody, kept), ignored


def _identity(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in ("event_id", "type") if name in document}
