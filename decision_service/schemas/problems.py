"""Problems: every error that leaves the service, as a problem document (RFC 9457).

Problem
├── BadRequest          400  not JSON
├── NotFound            404
├── Conflict            409  the event id is in use, or the call does not fit what happened
├── TooLarge            413
├── Invalid             422  a field is wrong; names it and says why
└── Unavailable         503  try again: with Retry-After
    └── Uncertain            the log may have been written all the same: a repeat is told what was
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import msgspec


@dataclass(frozen=True)
class FieldError:
    """A field, by its path, and what is wrong with it."""

    field: str
    message: str


class Problem(Exception):
    """An error with an HTTP status, a sentence, and the fields it is about."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, detail: str, errors: Sequence[FieldError] = (), retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s

    def document(self) -> dict[str, object]:
        """Give the problem document.

        >>> NotFound("no such decision").document()["status"]
        404
        """
        return {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "errors": [{"field": error.field, "message": error.message} for error in self.errors],
        }

    def body(self) -> bytes:
        """Give the problem document as JSON."""
        return msgspec.json.encode(self.document())


class BadRequest(Problem):
    """The body is not JSON."""

    status = HTTPStatus.BAD_REQUEST


class NotFound(Problem):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND


class Conflict(Problem):
    """The call does not fit what has happened already."""

    status = HTTPStatus.CONFLICT


class Gone(Problem):
    """There was such a thing, and it was erased."""

    status = HTTPStatus.GONE


class TooLarge(Problem):
    """The body is larger than is read."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Invalid(Problem):
    """A field is wrong."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    @classmethod
    def field(cls, field: str, message: str) -> Invalid:
        """Name one wrong field."""
        return cls(f"{field}: {message}", [FieldError(field, message)])


class Unavailable(Problem):
    """A part the answer needs is away for the moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str) -> None:
        super().__init__(detail, retry_after_s=1)


class Uncertain(Unavailable):
    """The log failed in the middle of writing: what was to be written may be in it."""
