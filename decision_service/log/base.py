"""The log port: append-only rows in one sequence of positions, in commit order.

Failure policy: an append is durable when it returns, or raises `LogUnavailable` and left nothing. When the
log cannot be written there is no decision.

Errors
------
LogUnavailable   the database cannot be reached or is busy: nothing was written, try again
└── LogBusy      too many appends are waiting already
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class LogUnavailable(Exception):
    """The log cannot be read or written now; nothing was written."""


class LogBusy(LogUnavailable):
    """Too many appends are waiting already."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is appended.

    ``key`` is unique in the log: a second entry with it is a conflict. With ``fence`` the entry is only
    valid while the log's incarnation is this one; an entry of kind ``fence`` begins the next incarnation.
    """

    kind: str
    at: float
    body: bytes
    event_id: str | None = None
    shopper_id: str | None = None
    key: str | None = None
    fence: int | None = None


@dataclass(frozen=True, slots=True)
class LogRow:
    """A row as stored; ``watermark`` is the maximum of all times up to this position."""

    position: int
    kind: str
    at: float
    watermark: float
    incarnation: int
    event_id: str | None
    shopper_id: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log stands: its last position, watermark and incarnation."""

    position: int = 0
    watermark: float = float("-inf")
    incarnation: int = 0


@dataclass(frozen=True, slots=True)
class Appended:
    """The entry is in the log; ``related`` are the earlier rows of the same event id, in position order."""

    position: int
    watermark: float
    related: tuple[LogRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Conflict:
    """Nothing was written: this row has the key already."""

    row: LogRow


@dataclass(frozen=True, slots=True)
class Fenced:
    """Nothing was written: the log is in this incarnation, not in the entry's."""

    incarnation: int


Result = Appended | Conflict | Fenced


class EventLog(Protocol):
    """An append-only log. Every call may raise `LogUnavailable`."""

    def append(self, entries: Sequence[Entry]) -> list[Result]:
        """Write entries in one transaction, in order; a result for each."""
        ...

    def head(self) -> Head:
        """Tell where the log stands."""
        ...

    def read(self, after: int, limit: int) -> list[LogRow]:
        """Give rows in position order: never one before all earlier ones can be seen."""
        ...

    def find_all(self, keys: Sequence[str]) -> list[LogRow]:
        """Give the rows that have one of these keys."""
        ...

    def of_events(self, event_ids: Sequence[str]) -> list[LogRow]:
        """Give all rows of these event ids, in position order."""
        ...

    def first_reaching(self, time: float) -> int | None:
        """Give the first position whose watermark is ``time`` or later."""
        ...

    def last_of_kind(self, kind: str) -> LogRow | None:
        """Give the latest row of a kind."""
        ...

    def fact(self, name: str, value: str) -> str:
        """Store a small fact with the data once; give what is stored."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
