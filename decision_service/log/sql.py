"""The log in a SQL database, through SQLAlchemy Core."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from decision_service.database import DatabaseUnavailable, errors, open_engine, write
from decision_service.log.base import Appended, Conflict, Entry, Fenced, Head, LogRow, LogUnavailable, Result
from decision_service.log.schema import facts, log, metadata

_COLUMNS = (log.c.position, log.c.kind, log.c.at, log.c.watermark, log.c.incarnation)
_ROW = (*_COLUMNS, log.c.event_id, log.c.shopper_id, log.c.body)
_ASKED_AT_ONCE = 500
"""Names in one query: SQLite bounds the variables of a statement."""


class SqlLog:
    """An append-only log in one table.

    Positions are given under the write lock, explicitly, one after the other: they are in commit order and
    have no gaps, so a reader that follows them never misses a row.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> SqlLog:
        """Open the log at a database URL.

        Raises
        ------
        ValueError
            For a dialect that is not supported.
        LogUnavailable
            When the database cannot be opened.
        """
        with _log_errors():
            return cls(open_engine(url, metadata))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def append(self, entries: Sequence[Entry]) -> list[Result]:
        """Write entries in one transaction."""
        with _log_errors(), write(self._engine) as connection:
            batch = _Batch(_head(connection), _known(connection, entries))
            results = [batch.add(entry) for entry in entries]
            if batch.rows:
                connection.execute(insert(log), batch.rows)
            return results

    def head(self) -> Head:
        """Tell where the log stands."""
        with self._reading() as connection:
            return _head(connection)

    def read(self, after: int, limit: int) -> list[LogRow]:
        """Give rows in position order."""
        return self._rows(select(*_ROW).where(log.c.position > after).order_by(log.c.position).limit(limit))

    def find_all(self, keys: Sequence[str]) -> list[LogRow]:
        """Give the rows that have one of these keys."""
        return self._asked(log.c.key, keys)

    def of_events(self, event_ids: Sequence[str]) -> list[LogRow]:
        """Give all rows of these event ids, in position order."""
        return self._asked(log.c.event_id, event_ids)

    def first_reaching(self, time: float) -> int | None:
        """Give the first position whose watermark is ``time`` or later."""
        query = select(log.c.position).where(log.c.watermark >= time)
        with self._reading() as connection:
            return connection.execute(query.order_by(log.c.watermark, log.c.position).limit(1)).scalar()

    def last_of_kind(self, kind: str) -> LogRow | None:
        """Give the latest row of a kind."""
        query = select(*_ROW).where(log.c.kind == kind).order_by(log.c.position.desc()).limit(1)
        return next(iter(self._rows(query)), None)

    def fact(self, name: str, value: str) -> str:
        """Store a small fact once; give what is stored."""
        with _log_errors(), write(self._engine) as connection:
            connection.execute(upsert(facts).values(name=name, value=value).on_conflict_do_nothing())
            return str(connection.execute(select(facts.c.value).where(facts.c.name == name)).scalar_one())

    def _asked(self, column: ColumnElement[Any], values: Sequence[str]) -> list[LogRow]:
        rows: list[LogRow] = []
        for first in range(0, len(values), _ASKED_AT_ONCE):
            some = values[first : first + _ASKED_AT_ONCE]
            rows += self._rows(select(*_ROW).where(column.in_(some)).order_by(log.c.position))
        return sorted(rows, key=lambda row: row.position)

    def _rows(self, query: Select[Any]) -> list[LogRow]:
        with self._reading() as connection:
            return [_row(row) for row in connection.execute(query)]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _log_errors(), self._engine.connect() as connection:
            yield connection


class _Batch:
    """The rows of one transaction, numbered on from the head."""

    def __init__(self, head: Head, known: Sequence[tuple[str | None, LogRow]]) -> None:
        self._head = head
        self._by_key = {key: row for key, row in known if key is not None}
        self._by_event: dict[str, list[LogRow]] = defaultdict(list)
        for _, row in known:
            if row.event_id is not None:
                self._by_event[row.event_id].append(row)
        self.rows: list[dict[str, Any]] = []

    def add(self, entry: Entry) -> Result:
        """Number an entry, unless its key is taken or it is fenced off."""
        if entry.key is not None and (winner := self._by_key.get(entry.key)) is not None:
            return Conflict(winner)
        head = self._head
        if entry.fence is not None and entry.fence != head.incarnation:
            return Fenced(head.incarnation)
        self._head = head = Head(
            head.position + 1, max(head.watermark, entry.at), head.incarnation + (entry.kind == "fence")
        )
        row = LogRow(
            head.position,
            entry.kind,
            entry.at,
            head.watermark,
            head.incarnation,
            entry.event_id,
            entry.shopper_id,
            entry.body,
        )
        self.rows.append({column.name: getattr(row, column.name) for column in _ROW} | {"key": entry.key})
        return Appended(head.position, head.watermark, self._relate(row, entry.key))

    def _relate(self, row: LogRow, key: str | None) -> tuple[LogRow, ...]:
        if key is not None:
            self._by_key[key] = row
        if row.event_id is None:
            return ()
        related = tuple(self._by_event[row.event_id])
        self._by_event[row.event_id].append(row)
        return related


def _head(connection: Connection) -> Head:
    found = connection.execute(
        select(log.c.position, log.c.watermark, log.c.incarnation).order_by(log.c.position.desc()).limit(1)
    ).first()
    return Head(*found) if found is not None else Head()


def _known(connection: Connection, entries: Sequence[Entry]) -> list[tuple[str | None, LogRow]]:
    """Read the rows that share an event id or a key with the entries."""
    events = sorted({entry.event_id for entry in entries if entry.event_id is not None})
    keys = sorted({entry.key for entry in entries if entry.key is not None and entry.event_id is None})
    found: list[tuple[str | None, LogRow]] = []
    for column, values in ((log.c.event_id, events), (log.c.key, keys)):
        for first in range(0, len(values), _ASKED_AT_ONCE):
            some = column.in_(values[first : first + _ASKED_AT_ONCE])
            for key, *row in connection.execute(select(log.c.key, *_ROW).where(some).order_by(log.c.position)):
                found.append((key, LogRow(*row)))
    return found


def _row(row: Row[Any]) -> LogRow:
    return LogRow(*tuple(row))


@contextmanager
def _log_errors() -> Iterator[None]:
    try:
        with errors():
            yield
    except DatabaseUnavailable as error:
        raise LogUnavailable(str(error)) from error
