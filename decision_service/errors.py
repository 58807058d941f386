"""Errors that a caller sees: mistakes in the call, and parts that are away. `api.problems` has their HTTP statuses.

ServiceError                 the service itself failed
├── Malformed                the body or the path cannot be read
├── UnsupportedMedia         the body is compressed, or is no JSON
├── TooLarge                 the body has more bytes than the service reads
├── Incomplete               the body did not arrive completely in time
├── Invalid                  fields are wrong; each is named with the reason
├── NotFound                 nothing has this name
├── DecisionConflict         the call contradicts what happened to the decision
├── Erased                   the shopper of the decision was erased
└── Unavailable              a part that the answer needs is away; the caller may try again
    └── Uncertain            the log failed while it wrote: the row may be in the log
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

INTERNAL = "an error of the service itself; its log says more"
"""The detail of an error that nobody foresaw."""

DAMAGED = "the log has a row with this event_id, but the row is damaged"
"""The detail of an error that a person must mend in the log."""


@dataclass(frozen=True)
class FieldError:
    """A wrong field, by its path, with the reason."""

    field: str
    message: str


class ServiceError(Exception):
    """An error of the service itself, and the base of all errors that a caller sees."""

    errors: Sequence[FieldError] = ()
    retry_after_s: int | None = None
    applied: Sequence[str] | None = None
    """The paths of what a refused call withholds all the same; None for every other call."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Malformed(ServiceError):
    """The body or the path cannot be read: it is not JSON, not a JSON object, or not UTF-8."""


class UnsupportedMedia(ServiceError):
    """The body is compressed, or its media type is not JSON."""


class TooLarge(ServiceError):
    """The body has more bytes than the service reads."""


class Incomplete(ServiceError):
    """The body did not arrive completely in time."""


class Invalid(ServiceError):
    """Fields are wrong."""

    def __init__(self, detail: str, errors: Sequence[FieldError] = (), applied: Sequence[str] | None = None) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)
        self.applied = applied

    @classmethod
    def fields(cls, errors: Sequence[FieldError], applied: Sequence[str] | None = None) -> Invalid:
        """Name several wrong fields; the detail has the first five."""
        return cls("; ".join(f"{error.field}: {error.message}" for error in errors[:5]), errors, applied)

    @classmethod
    def field(cls, field: str, message: str) -> Invalid:
        """Name one wrong field.

        >>> Invalid.field("now", "is required").detail
        'now: is required'
        """
        return cls(f"{field}: {message}", [FieldError(field, message)])


class NotFound(ServiceError):
    """Nothing has this name."""


class DecisionConflict(ServiceError):
    """The call contradicts what has happened to the decision already."""


class Erased(ServiceError):
    """The shopper of this decision was erased."""


class Unavailable(ServiceError):
    """A part that the answer needs is away for the moment."""

    retry_after_s = 1


class Uncertain(Unavailable):
    """The log failed while it wrote: the row may be in the log."""
