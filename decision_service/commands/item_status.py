"""Statuses: what became of one item of a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from decision_service.errors import FieldError

AHEAD_S = 300.0
"""How far a caller's clock may run ahead of ours."""


@dataclass(frozen=True)
class Status:
    """The status of one item.

    Parameters
    ----------
    status
        ``accepted``, ``duplicate``, ``late``, ``unknown`` or ``invalid``.
    error
        Of an invalid item: the field that is wrong.
    ignored
        The fields that were left out, with the reasons.
    """

    status: str
    error: FieldError | None = None
    ignored: Sequence[FieldError] = ()

    def without(self, ignored: Sequence[FieldError]) -> Status:
        """Return the status of an item from which fields were left out."""
        return replace(self, ignored=ignored) if ignored and self.error is None else self


ACCEPTED, DUPLICATE, LATE, UNKNOWN = (Status(name) for name in ("accepted", "duplicate", "late", "unknown"))


def invalid(field: str, message: str) -> Status:
    """Return the status of an item that is refused."""
    return Status("invalid", FieldError(field, message))


def is_ahead(at: datetime | None, now: float) -> bool:
    """Return whether a caller's time lies further ahead than clocks differ."""
    return at is not None and at.timestamp() > now + AHEAD_S
