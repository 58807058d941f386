"""A long log, made of a real one: the rows about shoppers are repeated with other ids, shoppers and times."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import msgspec

from benchmarks.speed.logs.real_log import open_log
from decision_service.log.base import NewRow
from decision_service.log.keys import (
    activation_key,
    cancellation_key,
    catalogue_key,
    decision_key,
    event_key,
    outcome_key,
)
from decision_service.log.reading import read_rows
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
)

_ROWS_AT_ONCE = 1_000
_DAY_S = 86_400.0
_TIMES = ("at", "send_at", "window_ends_at", "occurred_at", "left_at", "stated_at")
_IDS = UUID(int=12)


@dataclass(frozen=True)
class Repetition:
    """What is different in one repetition of the rows.

    Parameters
    ----------
    number
        Makes other event ids.
    crowd
        Makes other shoppers; repetitions with the same number are about the same shoppers.
    earlier_s
        How much earlier everything is.
    """

    number: int
    crowd: int
    earlier_s: float = 0.0

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


def multiply(rows: Iterable[Row], times: int) -> Iterator[Row]:
    """Yield each row so many times, at the same time, with other shoppers and events.

    A row that is about no shopper is yielded once; fences are left out.

    >>> from policies.records.rows import ClockRow
    >>> event = EventRow(1.0, "s-1", "session", 1.0)
    >>> [getattr(row, "shopper_id", row.kind) for row in multiply([event, FenceRow(1.0), ClockRow(2.0)], 3)]
    ['s-1', 's-1-1', 's-1-2', 'clock']
    """
    repetitions = [Repetition(number, number) for number in range(1, times)]
    for row in rows:
        if not isinstance(row, FenceRow):
            yield row
        if isinstance(row, SHOPPER_ROWS):
            yield from (repetition.change(row) for repetition in repetitions)


def lengthen(data_dir: Path, rows: int, *, days: float = 30.0, crowds: int = 100) -> int:
    """Replace the log in a data directory by a log of at least so many rows, and return its length.

    The log must not be open. Models and snapshots that know the log must be deleted.

    Parameters
    ----------
    data_dir
        The data of a service.
    rows
        How long the log becomes.
    days
        The repetitions are spread over so many days; the last one has the times of the original.
    crowds
        How many times as many shoppers the log has.

    Raises
    ------
    ValueError
        When a shopper was erased.
    """
    with closing(open_log(data_dir)) as log:
        stored = [row.row for row in read_rows(log)]
    repeated = new_rows(_spread(stored, rows, days * _DAY_S, crowds))
    with closing(sqlite3.connect(data_dir / "decisions.sqlite")) as database, database:
        database.execute("DELETE FROM log")
    with closing(open_log(data_dir)) as log:
        while part := list(islice(repeated, _ROWS_AT_ONCE)):
            log.append(part)
        return log.head().position


def _spread(stored: list[Row], rows: int, span_s: float, crowds: int) -> Iterator[Row]:
    """Return the catalogues and one fence, then the rows about shoppers again and again, spread over a span of time."""
    if any(isinstance(row, ErasureRow) for row in stored):
        raise ValueError("a log with an erasure cannot be repeated")
    about_shoppers = [row for row in stored if isinstance(row, SHOPPER_ROWS)]
    times = -(-rows // len(about_shoppers))
    first_at = stored[0].at - span_s
    catalogues = [msgspec.structs.replace(row, at=first_at) for row in stored if isinstance(row, CatalogueRow)]
    repetitions = (Repetition(one, one % crowds, span_s * (times - 1 - one) / times) for one in range(times))
    repeated = (repetition.change(row) for repetition in repetitions for row in about_shoppers)
    return chain([*catalogues, FenceRow(first_at)], repeated)


def new_rows(rows: Iterable[Row]) -> Iterator[NewRow]:
    """Yield rows to be appended to a new log, with the keys that the service gives them."""
    return (NewRow(row, _key(row)) for row in rows)


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
        case CatalogueRow():
            return catalogue_key(row.version)
    return None
