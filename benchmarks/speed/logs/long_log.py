"""A long log, made of a real one: its rows are repeated with other ids, shoppers and times."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import msgspec

from decision_service.log.keys import activation_key, cancellation_key, decision_key, event_key, outcome_key
from policies.records.rows import (
    SHOPPER_ROWS,
    ActivationRow,
    CancellationRow,
    CatalogueRow,
    DecisionRow,
    ErasureRow,
    EventRow,
    FenceRow,
    OutcomeRow,
    Row,
    ShopperRow,
    decode,
    encode,
)

_ROWS_AT_ONCE = 10_000
_TIMES = ("at", "send_at", "window_ends_at", "occurred_at", "left_at", "stated_at")
_IDS = UUID(int=12)
_INSERT = (
    "INSERT INTO log (position, kind, at, watermark, incarnation, event_id, shopper_id, key, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True)
class Repetition:
    """What is different in one repetition of the rows.

    Parameters
    ----------
    number
        Makes other event ids.
    crowd
        Makes other shoppers; repetitions with the same number are about the same ones.
    earlier_s
        How much earlier everything is.
    """

    number: int
    crowd: int
    earlier_s: float

    def change(self, row: ShopperRow) -> ShopperRow:
        """Return the row as it is in this repetition."""
        changes: dict[str, Any] = {
            name: value - self.earlier_s
            for name in _TIMES
            if isinstance(value := getattr(row, name, None), float) and name in row.__struct_fields__
        }
        if row.shopper_id is not None:
            changes["shopper_id"] = f"{row.shopper_id}-{self.crowd}"
        if (event_id := getattr(row, "event_id", None)) is not None:
            changes["event_id"] = self._rename(event_id)
        if isinstance(row, EventRow) and row.id is not None:
            changes["id"] = self._rename(row.id)
        return msgspec.structs.replace(row, **changes)

    def _rename(self, name: str) -> str:
        return str(uuid5(_IDS, f"{self.number} {name}"))


def lengthen(file: Path, rows: int, *, days: float = 30.0, crowds: int = 100) -> int:
    """Replace the log in a SQLite file by one of at least so many rows, and return its length.

    The log must not be open, and no shopper may have been erased. Models and snapshots that know the log must be
    deleted.

    Parameters
    ----------
    file
        The log of a service.
    rows
        How long it becomes.
    days
        The repetitions are spread over so many days; the last one has the times of the original.
    crowds
        How many times as many shoppers it has.
    """
    connection = sqlite3.connect(file)
    for pragma in ("journal_mode=DELETE", "synchronous=OFF", "cache_size=-262144"):
        connection.execute(f"PRAGMA {pragma}")
    stored = [decode(body) for (body,) in connection.execute("SELECT body FROM log ORDER BY position")]
    connection.execute("DELETE FROM log")
    values = _number(_repeat(stored, rows, days * 86_400.0, crowds))
    length = 0
    while part := list(islice(values, _ROWS_AT_ONCE)):
        connection.executemany(_INSERT, part)
        connection.commit()
        length += len(part)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return length


def _repeat(stored: list[Row], rows: int, span_s: float, crowds: int) -> Iterator[Row]:
    """Yield the catalogues and one fence, then the rows about shoppers again and again."""
    if any(isinstance(row, ErasureRow) for row in stored):
        raise ValueError("a log with an erasure cannot be repeated")
    about_shoppers = [row for row in stored if isinstance(row, SHOPPER_ROWS)]
    times = -(-rows // len(about_shoppers))
    first_at = stored[0].at - span_s
    yield from (msgspec.structs.replace(row, at=first_at) for row in stored if isinstance(row, CatalogueRow))
    yield FenceRow(first_at)
    for number in range(times):
        earlier_s = span_s * (times - 1 - number) / times
        repetition = Repetition(number, number % crowds, earlier_s)
        yield from map(repetition.change, about_shoppers)


def _number(rows: Iterator[Row]) -> Iterator[tuple[Any, ...]]:
    """Yield the values of the table's columns."""
    watermark, incarnation = -inf, 0
    for position, row in enumerate(rows, start=1):
        watermark = max(watermark, row.at)
        incarnation += isinstance(row, FenceRow)
        yield (
            position,
            row.kind,
            row.at,
            watermark,
            incarnation,
            getattr(row, "event_id", None),
            getattr(row, "shopper_id", None),
            _key(row),
            encode(row),
        )


def _key(row: Row) -> str | None:
    match row:
        case DecisionRow():
            return decision_key(row.event_id)
        case ActivationRow():
            return activation_key(row.event_id)
        case CancellationRow():
            return cancellation_key(row.event_id)
        case OutcomeRow():
            return outcome_key(row)
        case EventRow():
            return event_key(row, has_date=True)
    return None
