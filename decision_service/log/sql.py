"""The log in a SQL database, through SQLAlchemy Core."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import BindParameter, Connection, Engine, Executable, MetaData, bindparam, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError

from decision_service.database.engine import DatabaseUnavailable, errors, open_engine, write
from decision_service.database.migrations import SchemaMismatch, upgrade
from decision_service.log.base import (
    CROSSING,
    Entry,
    Head,
    LogCorrupt,
    LogRow,
    LogUnavailable,
    Result,
    Rewriter,
    Rewritten,
)
from decision_service.log.batch import Batch
from decision_service.log.schema import facts, log

_ASKED_AT_ONCE = 500
"""Names in one query: SQLite bounds the variables of a statement."""

_DAMAGED = ("malformed", "not a database", "no such table", "no such column")

# Built once: making a statement costs more than SQLite takes to run it.
_ROW = (
    log.c.position,
    log.c.kind,
    log.c.at,
    log.c.watermark,
    log.c.incarnation,
    log.c.event_id,
    log.c.shopper_id,
    log.c.body,
)
_INSERT = insert(log)
_HEAD = select(log.c.position, log.c.watermark, log.c.incarnation).order_by(log.c.position.desc()).limit(1)
_NAMES: BindParameter[str] = bindparam("names", expanding=True)
_OF_EVENTS = select(*_ROW).where(log.c.event_id.in_(_NAMES)).order_by(log.c.position)
_OF_KEYS = select(*_ROW, log.c.key).where(log.c.key.in_(_NAMES))
_CROSSING = (
    select(log.c.shopper_id, log.c.kind, func.max(log.c.position))
    .where(log.c.shopper_id.in_(_NAMES), log.c.position > bindparam("since"), log.c.kind.in_(CROSSING))
    .group_by(log.c.shopper_id, log.c.kind)
)
_REWRITE = (
    update(log)
    .where(log.c.position == bindparam("at_position"))
    .values(shopper_id=bindparam("new_shopper"), key=bindparam("new_key"), body=bindparam("new_body"))
)
_AFTER = select(*_ROW).where(log.c.position > bindparam("after")).order_by(log.c.position).limit(bindparam("most"))
_AFTER_OF_KINDS = _AFTER.where(log.c.kind.in_(_NAMES))
_OF_SHOPPER = select(*_ROW).where(log.c.shopper_id == bindparam("shopper_id")).order_by(log.c.position.desc())
_WITH_KEYS_OF_SHOPPER = (
    select(*_ROW, log.c.key).where(log.c.shopper_id == bindparam("shopper_id")).order_by(log.c.position)
)
_LAST_OF_KIND = select(*_ROW).where(log.c.kind == bindparam("kind")).order_by(log.c.position.desc()).limit(1)
_FACT = select(facts.c.value).where(facts.c.name == bindparam("name"))


class SqlLog:
    """An append-only log in one table.

    Positions are given under the write lock, explicitly, one after the other: they are in commit order and
    have no gaps, so a reader that follows them never misses a row. Readers have connections of their own and
    never wait for the writer.

    Parameters
    ----------
    engine
        The database.
    clock
        Gives the time by which `Condition.until` is judged.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    @classmethod
    def open(cls, url: str, clock: Callable[[], float] = time.time) -> SqlLog:
        """Open the log at a database URL and bring its schema up to date.

        Raises
        ------
        ValueError
            For a dialect that is not supported.
        LogUnavailable
            When the database cannot be opened; `LogCorrupt` when it is damaged or of another version.
        """
        with _log_errors():
            engine = open_engine(url, MetaData())  # the tables are the migrations' work
            upgrade(engine, "log")
        return cls(engine, clock)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def append(self, entries: Sequence[Entry]) -> list[Result]:
        """Write entries in one transaction."""
        with _log_errors(), write(self._engine) as connection:
            batch = self._begin(connection, entries)
            results = [batch.add(entry) for entry in entries]
            if batch.rows:
                connection.execute(_INSERT, [_values(row, key) for row, key in batch.rows])
            return results

    def rewrite(self, shopper_id: str, rewriter: Rewriter) -> LogRow:
        """Rewrite all rows of a shopper and append the last word on it, in one transaction."""
        with _log_errors(), write(self._engine) as connection:
            found = connection.execute(_WITH_KEYS_OF_SHOPPER, {"shopper_id": shopper_id}).all()
            rows = [LogRow(*row) for *row, _ in found]
            entry = rewriter.last_word(rows)
            keys = [key for *_, key in found]
            changes = [_change(row, key, rewriter.rewritten(row)) for row, key in zip(rows, keys, strict=True)]
            if changes:
                connection.execute(_REWRITE, changes)
            batch = self._begin(connection, [entry])
            batch.add(entry)
            ((row, key),) = batch.rows
            connection.execute(_INSERT, [_values(row, key)])
            return row

    def now(self) -> float:
        """Tell the time by which `Condition.until` is judged."""
        return self._clock()

    def head(self) -> Head:
        """Tell where the log stands."""
        with self._reading() as connection:
            return _head(connection)

    def is_empty(self) -> bool:
        """Tell whether nothing was ever appended."""
        return self.head().position == 0

    def read(self, after: int, limit: int, kinds: Collection[str] | None = None) -> list[LogRow]:
        """Give rows in position order."""
        if kinds is None:
            return self._rows(_AFTER, {"after": after, "most": limit})
        return self._rows(_AFTER_OF_KINDS, {"after": after, "most": limit, "names": list(kinds)})

    def find_all(self, keys: Sequence[str]) -> list[LogRow]:
        """Give the rows that have one of these keys, in position order."""
        with self._reading() as connection:
            found = _by_key(connection, keys).values()
        return sorted(found, key=lambda row: row.position)

    def of_events(self, event_ids: Sequence[str]) -> list[LogRow]:
        """Give all rows of these event ids, in position order."""
        with self._reading() as connection:
            return sorted(_of_events(connection, event_ids), key=lambda row: row.position)

    def of_shopper(
        self, shopper_id: str, limit: int, before: int | None = None, kinds: Collection[str] | None = None
    ) -> list[LogRow]:
        """Give a shopper's latest rows, the latest first."""
        query = _OF_SHOPPER.limit(limit)
        if before is not None:
            query = query.where(log.c.position < before)
        if kinds is not None:
            query = query.where(log.c.kind.in_(kinds))
        return self._rows(query, {"shopper_id": shopper_id})

    def first_reaching(self, time: float) -> int | None:
        """Give the first position whose watermark is ``time`` or later."""
        query = select(log.c.position).where(log.c.watermark >= time)
        with self._reading() as connection:
            return connection.execute(query.order_by(log.c.watermark, log.c.position).limit(1)).scalar()

    def last_of_kind(self, kind: str) -> LogRow | None:
        """Give the latest row of a kind."""
        return next(iter(self._rows(_LAST_OF_KIND, {"kind": kind})), None)

    def fact(self, name: str, value: str) -> str:
        """Store a small fact once; give what is stored."""
        with _log_errors(), write(self._engine) as connection:
            # PostgreSQL spells this the same way, from its own dialect's `insert`.
            connection.execute(upsert(facts).values(name=name, value=value).on_conflict_do_nothing())
            return str(connection.execute(_FACT, {"name": name}).scalar_one())

    def stored_fact(self, name: str) -> str | None:
        """Give a small fact, None when it was never stored."""
        with self._reading() as connection:
            return connection.execute(_FACT, {"name": name}).scalar()

    def _rows(self, query: Executable, values: Mapping[str, Any]) -> list[LogRow]:
        with self._reading() as connection:
            return [LogRow(*row) for row in connection.execute(query, values)]

    def _begin(self, connection: Connection, entries: Sequence[Entry]) -> Batch:
        """Read under the write lock what the entries meet: the head, and the rows of their events and keys."""
        events = {entry.event_id for entry in entries if entry.event_id is not None}
        keys = {entry.key for entry in entries if entry.key is not None}
        return Batch(
            _head(connection),
            of_events=_of_events(connection, events),
            by_key=_by_key(connection, keys),
            crossing=_crossing(connection, entries),
            now=self._clock(),
        )

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _log_errors(), self._engine.connect() as connection:
            yield connection


def _crossing(connection: Connection, entries: Sequence[Entry]) -> dict[tuple[str, str], int]:
    """Give where the last rows stand of the shoppers that conditions are about, if later than conditions say."""
    conditions = [entry.condition for entry in entries if entry.condition.shoppers]
    asked = [since for each in conditions for since in (each.since, each.unerased_since) if since is not None]
    if not asked:
        return {}
    names = list({name for condition in conditions for name in condition.shoppers})
    found: dict[tuple[str, str], int] = {}
    for first in range(0, len(names), _ASKED_AT_ONCE):
        values = {"names": names[first : first + _ASKED_AT_ONCE], "since": min(asked)}
        for name, kind, position in connection.execute(_CROSSING, values):
            found[name, kind] = position
    return found


def _change(row: LogRow, key: str | None, rewritten: Rewritten) -> dict[str, Any]:
    return {
        "at_position": row.position,
        "new_shopper": rewritten.shopper_id,
        "new_key": None if rewritten.keyless else key,
        "new_body": rewritten.body,
    }


def _head(connection: Connection) -> Head:
    found = connection.execute(_HEAD).first()
    return Head(*found) if found is not None else Head()


def _of_events(connection: Connection, event_ids: Collection[str]) -> list[LogRow]:
    return [LogRow(*row) for row in _ask(connection, _OF_EVENTS, event_ids)]


def _by_key(connection: Connection, keys: Collection[str]) -> dict[str, LogRow]:
    return {key: LogRow(*row) for *row, key in _ask(connection, _OF_KEYS, keys)}


def _ask(connection: Connection, query: Executable, names: Collection[str]) -> Iterator[Sequence[Any]]:
    wanted = list(dict.fromkeys(names))
    for first in range(0, len(wanted), _ASKED_AT_ONCE):
        yield from connection.execute(query, {"names": wanted[first : first + _ASKED_AT_ONCE]})


def _values(row: LogRow, key: str | None) -> dict[str, Any]:
    return {
        "position": row.position,
        "kind": row.kind,
        "at": row.at,
        "watermark": row.watermark,
        "incarnation": row.incarnation,
        "event_id": row.event_id,
        "shopper_id": row.shopper_id,
        "key": key,
        "body": row.body,
    }


@contextmanager
def _log_errors() -> Iterator[None]:
    """Let no driver error out: what a retry may mend is `LogUnavailable`, what it cannot is `LogCorrupt`."""
    try:
        with errors():
            yield
    except SchemaMismatch as error:
        raise LogCorrupt(str(error)) from error
    except DatabaseUnavailable as error:
        raise _translate(error) from error


def _translate(error: DatabaseUnavailable) -> LogUnavailable:
    cause = error.__cause__
    told = str(cause.orig) if isinstance(cause, DBAPIError) else ""
    return (LogCorrupt if any(sign in told for sign in _DAMAGED) else LogUnavailable)(str(error))
