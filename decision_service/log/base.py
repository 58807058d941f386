"""The log port: append-only rows in one sequence of positions, in commit order.

Failure policy: an append is durable when it returns. When it raises, either the whole batch was refused, or the
database died while it committed. Append the batch again with the same keys: if it was written after all, the log
answers `DuplicateKey` and writes nothing twice. When the log cannot be written there is no decision.

Errors
------
LogUnavailable   the database cannot be reached or is busy: try again
├── LogBusy      too many appends are waiting already
└── LogCorrupt   the database is damaged, or not of this version: trying again does not help
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, isfinite
from typing import Protocol

import msgspec

from decision_service.log.condition import UNCONDITIONAL, AppendCondition
from decision_service.log.row_bodies import DamagedBody, decode_body, encode_body
from policies.records.rows import ErasureRow, Row, ShopperRow, decode

MOST_LEAD_S = 300.0
"""How far the watermark may be ahead of the wall clock; a greater lead is corrected."""


class LogUnavailable(Exception):
    """The log cannot be read or written now."""


class LogBusy(LogUnavailable):
    """Too many appends are waiting already: nothing was written."""


class LogCorrupt(LogUnavailable):
    """The database is damaged, or its schema is not that of this version: it needs a person."""


@dataclass(slots=True)
class NewRow:
    """A row to be appended.

    Parameters
    ----------
    row
        What is appended. A row of kind ``fence`` begins the next incarnation of the log. A withdrawal is logged no
        earlier than the watermark: see `row_times`.
    key
        Unique in the log: a second row with the same key is not written.
    condition
        What must be true of the log at the moment of writing.
    follow_up
        Returns rows to be written directly after this one, in the same transaction, in view of the earlier rows of
        its event and of the watermark with this row. It is asked only where the event has earlier rows. The rows have
        no keys, and their conditions are about the event and the watermark alone.

    Raises
    ------
    ValueError
        For a value that no database stores: inside the transaction it would fail every row of the batch.
    """

    row: Row
    key: str | None = None
    condition: AppendCondition = UNCONDITIONAL
    follow_up: Callable[[Sequence[Row], float], Sequence[NewRow]] | None = None
    kind: str = field(init=False, repr=False)
    at: float = field(init=False, repr=False)
    """The row's time in epoch seconds."""
    event_id: str | None = field(init=False, repr=False)
    shopper_id: str | None = field(init=False, repr=False)
    """The shopper under whom the row is found; an erasure is found by the key of the erased shopper."""
    body: bytes = field(init=False, repr=False)
    """The body as the log stores it: see `decision_service.log.row_bodies`."""

    def __post_init__(self) -> None:
        row = self.row
        if not isfinite(row.at):
            raise ValueError(f"at is {row.at}: a row's time must be a finite number")
        event_id: str | None = getattr(row, "event_id", None)
        shopper_id: str | None = row.key if isinstance(row, ErasureRow) else getattr(row, "shopper_id", None)
        for name in (event_id, shopper_id, self.key):
            if name is not None and not name.isascii():
                _check_encodable(name)
        self.kind, self.at, self.event_id, self.shopper_id = row.kind, row.at, event_id, shopper_id
        self.body = encode_body(row)


def _check_encodable(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"event_id, shopper_id or key is {name!r}: it is not valid Unicode") from error


class StoredRow(msgspec.Struct, frozen=True, dict=True):
    """A row as it stands in the log.

    ``watermark`` is the maximum of the times since the last clock correction up to this position, ``incarnation`` the
    number of fences. The stored body is read only where somebody needs it, so that a damaged one harms nobody else.
    """

    position: int
    kind: str
    at: float
    watermark: float
    incarnation: int
    event_id: str | None
    shopper_id: str | None
    stored_body: object
    """The body as the log stores it: see `decision_service.log.row_bodies`."""

    @property
    def body(self) -> bytes:
        """The body as JSON.

        Raises
        ------
        LogCorrupt
            When the body cannot be read.
        """
        try:
            return decode_body(self.stored_body)
        except DamagedBody as error:
            raise self._damage(error) from error

    @cached_property
    def row(self) -> Row:
        """The decoded body.

        Raises
        ------
        LogCorrupt
            When the body is no row.
        """
        try:
            return decode(self.body)
        except msgspec.MsgspecError as error:
            raise self._damage(error) from error

    @property
    def is_whole(self) -> bool:
        """Whether the body is a row."""
        try:
            _ = self.row
        except LogCorrupt:
            return False
        return True

    def _damage(self, error: Exception) -> LogCorrupt:
        return LogCorrupt(f"the row at position {self.position} is damaged: {error}")


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the log: its last position, watermark and incarnation."""

    position: int = 0
    watermark: float = -inf
    incarnation: int = 0


class Appended(msgspec.Struct, frozen=True):
    """The row is in the log; ``follow_ups`` counts the rows that were written directly after it."""

    position: int
    watermark: float
    follow_ups: int = 0


@dataclass(frozen=True, slots=True)
class DuplicateKey:
    """Nothing was written: this row, whose body is whole, has the key already."""

    row: StoredRow


@dataclass(frozen=True, slots=True)
class DamagedRow:
    """Nothing was written: the row at this position has the key or is about the same event, and its body is damaged."""

    position: int


@dataclass(frozen=True, slots=True)
class StaleIncarnation:
    """Nothing was written: the log is in this incarnation, not in the one that the condition names."""

    incarnation: int


@dataclass(frozen=True, slots=True)
class ConditionFailed:
    """Nothing was written: the condition does not hold.

    ``position`` is the position of the last row that fails it, or of the head where the watermark or the deadline
    does. With ``shopper_erased`` the shopper was erased meanwhile: nothing that was known before may be written
    under their id.
    """

    position: int
    shopper_erased: bool = False


AppendResult = Appended | DuplicateKey | DamagedRow | StaleIncarnation | ConditionFailed


@dataclass(frozen=True, slots=True)
class Replacement:
    """The row that replaces a stored one; without ``keeps_key`` the stored one's key is dropped."""

    row: ShopperRow
    keeps_key: bool = True


class Rewriter(Protocol):
    """Takes a shopper out of rows: the only thing that ever changes what was written."""

    def rewrite(self, row: StoredRow) -> Replacement:
        """Return what replaces a row."""
        ...

    def final_row(self, rows: Sequence[StoredRow]) -> NewRow:
        """Return the row to be appended, in view of the rows as they were; without condition and key."""
        ...


class EventLog(Protocol):
    """An append-only log. Every call may raise `LogUnavailable`."""

    def append(self, rows: Sequence[NewRow]) -> list[AppendResult]:
        """Write rows in one transaction, in order; return a result for each.

        In a log of the wall clock, a clock correction is written first where the watermark is more than
        `MOST_LEAD_S` ahead of the clock.
        """
        ...

    def rewrite(self, shopper_id: str, rewriter: Rewriter) -> StoredRow:
        """Rewrite all rows of a shopper and append the rewriter's final row, in one transaction; return that row."""
        ...

    def now(self) -> float:
        """Return the time by which `AppendCondition.deadline` and the watermark are judged, under the write lock."""
        ...

    def head(self) -> Head: ...

    def try_to_write(self) -> None:
        """Write as much as a row takes, and no row: an error says that no row can be written either."""
        ...

    def read(self, after: int, limit: int, kinds: Collection[str] | None = None) -> list[StoredRow]:
        """Return rows, of some kinds or all, in position order.

        A row is never returned before all earlier ones can be seen: whoever reads on from the last position misses
        none.
        """
        ...

    def find_by_key(self, keys: Sequence[str]) -> list[StoredRow]:
        """Return the rows that have one of these keys, in position order."""
        ...

    def find_by_event(self, event_ids: Sequence[str], kinds: Collection[str] | None = None) -> list[StoredRow]:
        """Return the rows of these events, of some kinds or all, in position order."""
        ...

    def find_by_shopper(
        self, shopper_id: str, limit: int, before: int | None = None, kinds: Collection[str] | None = None
    ) -> list[StoredRow]:
        """Return a shopper's latest rows (before a position, of some kinds or all), the latest first."""
        ...

    def find_first_reaching(self, time: float, first: int = 1) -> int | None:
        """Return the first position from ``first`` on whose watermark is ``time`` or later."""
        ...

    def find_last(self, kind: str) -> StoredRow | None:
        """Return the last row of a kind."""
        ...

    def store_fact(self, name: str, value: str) -> str:
        """Store a small fact with the data, unless it has a value already; return the stored value."""
        ...

    def read_fact(self, name: str) -> str | None:
        """Return a small fact stored with the data, None if it was never stored."""
        ...

    def close(self) -> None: ...
