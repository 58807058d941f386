"""Errors that a caller sees: mistakes in the call, and parts that are away. `api.problems` has their HTTP statuses.

ServiceError                 the service itself failed
├── Malformed                the body cannot be read
├── TooLarge                 the body has more bytes than the service reads
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


@dataclass(frozen=True)
class FieldError:
    """A wrong field, by its path, with the reason."""

    field: str
    message: str


class ServiceError(Exception):
    """An error of the service itself, and the base of all errors that a caller sees."""

    errors: Sequence[FieldError] = ()
    retry_after_s: int | None = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Malformed(ServiceError):
    """The body cannot be read: it is not JSON, or not a JSON object."""


class TooLarge(ServiceError):
    """The body has more bytes than the service reads."""


class Invalid(ServiceError):
    """Fields are wrong."""

    applied: Sequence[str] = ()
    """The paths of the withdrawals that were taken all the same."""

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)

    def after(self, applied: Sequence[str]) -> Invalid:
        """Return the error of a call of which some withdrawals were taken all the same."""
        error = Invalid(self.detail, self.errors)
        error.applied = tuple(applied)
        return error

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
