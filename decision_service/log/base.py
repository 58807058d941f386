"""The log port: append-only rows in one sequence of positions, in commit order.

Failure policy: an append is durable when it returns. When it raises, the whole batch was refused, or the
database died while it committed: append it again with the same keys, and a batch that was written after all
answers with conflicts instead of being written twice. When the log cannot be written there is no decision.

Errors
------
LogUnavailable   the database cannot be reached or is busy: try again
├── LogBusy      too many appends are waiting already
└── LogCorrupt   the database is damaged, or not of this version: trying again does not help
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Protocol

FENCE = "fence"
"""The kind of the rows that begin an incarnation."""

ERASURE = "erasure"
"""The kind of the rows that say that a shopper was erased."""

WILL = ("outcome", "preferences", ERASURE)
"""The kinds of rows by which a shopper's will may be made known: opt-outs, preferences, erasure."""

TURNING = (*WILL, "activation")
"""The kinds of rows that may turn what is judged of a shopper without a reservation: an activation may move a send."""

CROSSING = (*TURNING, "decision")
"""Those and decisions: what a judgement must not cross that takes no reservation itself."""


class LogUnavailable(Exception):
    """The log cannot be read or written now."""


class LogBusy(LogUnavailable):
    """Too many appends are waiting already: this one was not taken."""


class LogCorrupt(LogUnavailable):
    """The database is damaged, or its schema is not that of this version: it needs a person."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be true of the log at the moment of writing, else nothing is written: see `Precluded`.

    Parameters
    ----------
    unless
        Kinds of rows that the event may not have yet.
    before
        The watermark, this row's time included, must lie below.
    owner
        The event's earlier rows must be about this shopper: an erasure puts them under a pseudonym.
    shoppers
        Whom the following are about.
    since, kinds
        No row of theirs of these kinds may stand after this position.
    unerased_since
        No erasure of them may stand after this position.
    until
        The log's clock must not be past it: how long holds what the row rests on and the log does not know.
    """

    unless: frozenset[str] = frozenset()
    before: float = inf
    owner: str | None = None
    shoppers: tuple[str, ...] = ()
    since: int | None = None
    unerased_since: int | None = None
    kinds: tuple[str, ...] = TURNING
    until: float = inf


UNCONDITIONAL = Condition()


@dataclass(frozen=True, slots=True)
class Entry:
    """What is appended.

    Parameters
    ----------
    kind
        What the row says; an entry of kind ``fence`` begins the next incarnation.
    at
        The row's time in epoch seconds.
    body
        The row itself, which the log never looks into.
    event_id, shopper_id
        Whom it concerns; rows are found by either.
    key
        Unique in the log: a second entry with it is a conflict.
    fence
        The entry is only valid while the log is in this incarnation.
    condition
        What else must be true of the log.
    dated
        Writes the row as of a time: it is then logged no earlier than what the log has seen, at its watermark.
    then
        Gives what is written right behind it, in view of the event's earlier rows, those of the same batch
        included: entries of that event without a key, with conditions about it and the watermark alone.

    Raises
    ------
    ValueError
        For what no database takes. A row that fails in the transaction would fail its whole group.
    """

    kind: str
    at: float
    body: bytes
    event_id: str | None = None
    shopper_id: str | None = None
    key: str | None = None
    fence: int | None = None
    condition: Condition = UNCONDITIONAL
    dated: Callable[[float], bytes] | None = None
    then: Callable[[Sequence[LogRow]], Sequence[Entry]] | None = None

    def __post_init__(self) -> None:
        if not isfinite(self.at):
            raise ValueError(f"at is {self.at}: a row's time must be a finite number")
        for name in (self.event_id, self.shopper_id, self.key):
            if name is not None and not name.isascii():
                _check_encodable(name)


def _check_encodable(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"event_id, shopper_id or key is {name!r}: it is not valid Unicode") from error


@dataclass(frozen=True, slots=True)
class LogRow:
    """A row as stored.

    ``watermark`` is the maximum of all times up to this position, ``incarnation`` the number of fences.
    """

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
    watermark: float = -inf
    incarnation: int = 0


@dataclass(frozen=True, slots=True)
class Appended:
    """The entry is in the log.

    ``watermark_before`` is the log's without this row, ``watermark`` the row's own; ``followed`` counts the rows
    that were written right behind it.
    """

    position: int
    watermark_before: float
    watermark: float
    followed: int = 0


@dataclass(frozen=True, slots=True)
class Conflict:
    """Nothing was written: this row has the key already."""

    row: LogRow


@dataclass(frozen=True, slots=True)
class Fenced:
    """Nothing was written: the log is in this incarnation, not in the entry's."""

    incarnation: int


@dataclass(frozen=True, slots=True)
class Precluded:
    """Nothing was written: the entry's condition does not hold.

    ``position`` is that of the row that precludes it, or the head where the watermark or the clock does; ``erased``
    tells that the shopper was erased meanwhile, so that nothing known before may be written under their id.
    """

    position: int
    erased: bool = False


Result = Appended | Conflict | Fenced | Precluded


class Rewriter(Protocol):
    """Takes a shopper out of rows: the only thing that ever changes what was written."""

    def rewritten(self, row: LogRow) -> Rewritten:
        """Give what is to stand instead of a row."""
        ...

    def last_word(self, rows: Sequence[LogRow]) -> Entry:
        """Give the row to be appended, in view of the rows as they were; it is unconditional and has no key."""
        ...


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What stands instead of a row: another shopper id and body; with ``keyless`` its key is dropped."""

    shopper_id: str
    body: bytes
    keyless: bool = False


class EventLog(Protocol):
    """An append-only log. Every call may raise `LogUnavailable`."""

    def append(self, entries: Sequence[Entry]) -> list[Result]:
        """Write entries in one transaction, in order; a result for each."""
        ...

    def rewrite(self, shopper_id: str, rewriter: Rewriter) -> LogRow:
        """Rewrite all rows of a shopper and append the last word on it, in one transaction; give that row."""
        ...

    def now(self) -> float:
        """Tell the time by which `Condition.until` is judged, under the write lock."""
        ...

    def head(self) -> Head:
        """Tell where the log stands."""
        ...

    def is_empty(self) -> bool:
        """Tell whether nothing was ever appended."""
        ...

    def read(self, after: int, limit: int, kinds: Collection[str] | None = None) -> list[LogRow]:
        """Give rows, of some kinds or all, in position order: never one before all earlier ones can be seen."""
        ...

    def find_all(self, keys: Sequence[str]) -> list[LogRow]:
        """Give the rows that have one of these keys, in position order."""
        ...

    def of_events(self, event_ids: Sequence[str]) -> list[LogRow]:
        """Give all rows of these event ids, in position order."""
        ...

    def of_shopper(
        self, shopper_id: str, limit: int, before: int | None = None, kinds: Collection[str] | None = None
    ) -> list[LogRow]:
        """Give a shopper's latest rows (of those before a position, of some kinds or all), the latest first."""
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

    def stored_fact(self, name: str) -> str | None:
        """Give a small fact stored with the data, None when it was never stored."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
