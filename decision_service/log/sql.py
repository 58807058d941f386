"""The log in a SQL database: appends on the driver's own cursor (see `sqlite`), rarer work through SQLAlchemy Core."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

from sqlalchemy import BindParameter, Connection, Engine, Executable, MetaData, bindparam, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from decision_service import metrics
from decision_service.database.engine import (
    Cursor,
    DatabaseUnavailable,
    Writer,
    driver_cursor,
    errors,
    find_damage,
    is_damage,
    open_engine,
    read_on_cursor,
    write,
)
from decision_service.database.migrations import SchemaMismatch, upgrade
from decision_service.database.sqlite_url import beside
from decision_service.log.base import (
    MOST_LEAD_S,
    AppendResult,
    Head,
    LogCorrupt,
    LogUnavailable,
    NewRow,
    Replacement,
    Rewriter,
    StoredRow,
)
from decision_service.log.batch import Batch, to_stored_row
from decision_service.log.clock import CLOCK_FACT, WALL
from decision_service.log.committed_position import CommittedPosition
from decision_service.log.lookups import Lookups, UntrustedKey, kinds_of
from decision_service.log.row_bodies import encode_body
from decision_service.log.schema import facts, log
from decision_service.log.sqlite import (
    find_fact,
    find_head,
    find_last_positions,
    find_rows,
    insert_rows,
)
from policies.records.rows import ClockCorrectionRow, DecisionRow

_logger = logging.getLogger(__name__)

# Built once: making a statement costs more than SQLite takes to run it.
_ROW = (
    log.c.position,
    log.c.kind,
    log.c.at,
    log.c.watermark,
    log.c.incarnation,
    log.c.event_id,
    log.c.shopper_id,
    log.c.key,
    log.c.body,
)
_KINDS: BindParameter[str] = bindparam("kinds", expanding=True)
_REWRITE = (
    update(log)
    .where(log.c.position == bindparam("at_position"))
    .values(shopper_id=bindparam("new_shopper"), key=bindparam("new_key"), body=bindparam("new_body"))
)
_AFTER = select(*_ROW).where(log.c.position > bindparam("after")).order_by(log.c.position).limit(bindparam("most"))
_AFTER_OF_KINDS = _AFTER.where(log.c.kind.in_(_KINDS))
_OF_SHOPPER = select(*_ROW).where(log.c.shopper_id == bindparam("shopper_id")).order_by(log.c.position.desc())
_ALL_OF_SHOPPER = select(*_ROW).where(log.c.shopper_id == bindparam("shopper_id")).order_by(log.c.position)
_LAST_OF_KIND = select(*_ROW).where(log.c.kind == bindparam("kind")).order_by(log.c.position.desc()).limit(1)
_CORRECTIONS = (
    select(log.c.position)
    .where(log.c.kind == ClockCorrectionRow.kind, log.c.position > bindparam("after"))
    .order_by(log.c.position)
)
_FIRST_REACHING = (
    select(log.c.position)
    .where(log.c.watermark >= bindparam("time"), log.c.position >= bindparam("start"))
    .where(log.c.position < bindparam("end"))
    .order_by(log.c.watermark, log.c.position)
    .limit(1)
)
_TRIAL = "x" * 16_384
"""More than the row of a decision has."""

_AFTER_ALL = 2**63 - 1
"""A position that no row reaches."""

_FACT = select(facts.c.value).where(facts.c.name == bindparam("name"))


class SqlLog:
    """An append-only log in one table.

    Positions are given under the write lock, one after the other: they are in commit order and have no gaps, so a
    reader that follows them never misses a row. Readers have connections of their own and never wait for the writer.

    Parameters
    ----------
    engine
        The database.
    clock
        Returns the time by which `AppendCondition.deadline` and, in a log of the wall clock, the watermark are judged.
    committed
        The file with the position of the last committed row; None where the position is not kept.
    """

    def __init__(
        self, engine: Engine, clock: Callable[[], float] = time.time, committed: CommittedPosition | None = None
    ) -> None:
        self._engine = engine
        self._writer = Writer(engine)
        self._clock = clock
        self._committed = committed or CommittedPosition(Path(os.devnull))
        self._clock_mode: str | None = None

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
        return cls(engine, clock, committed=CommittedPosition(beside(url, "-position")))

    def close(self) -> None:
        self._writer.close()
        self._engine.dispose()
        self._committed.close()

    def find_damage(self, within_s: float) -> str | None:
        """Return what is damaged in the database, None for nothing that was found within this time."""
        with _log_errors():
            return find_damage(self._engine, within_s)

    def committed_position(self) -> int:
        """Return the highest position that was committed; rows up to there are missing where the log ends before."""
        return self._committed.read()

    def accept_end(self) -> None:
        """Forget that rows are missing: from now on the log ends where it ends."""
        self._committed.reset(self.head().position)

    def append(self, rows: Sequence[NewRow]) -> list[AppendResult]:
        with _log_errors():
            try:
                return self._append(rows, Lookups.of(rows, trust_keys=True))
            except UntrustedKey:
                return self._append(rows, Lookups.of(rows))

    def _append(self, rows: Sequence[NewRow], lookups: Lookups) -> list[AppendResult]:
        with self._writer.write() as cursor:
            batch = self._begin(cursor, lookups)
            results = [batch.add(row) for row in rows]
            lookups.check(results)
            insert_rows(cursor, batch.rows)
        self._remember(batch)
        return results

    def rewrite(self, shopper_id: str, rewriter: Rewriter) -> StoredRow:
        with _log_errors(), write(self._engine) as connection:
            stored = connection.execute(_ALL_OF_SHOPPER, {"shopper_id": shopper_id}).all()
            rows, keys = [to_stored_row(values) for values in stored], [values.key for values in stored]
            final = rewriter.final_row(rows)
            changes = [_change(row, key, rewriter.rewrite(row)) for row, key in zip(rows, keys, strict=True)]
            if changes:
                connection.execute(_REWRITE, changes)
            batch = self._begin(driver_cursor(connection), Lookups.of([final]))
            batch.add(final)
            insert_rows(driver_cursor(connection), batch.rows)
        self._remember(batch)
        return batch.last_row()

    def now(self) -> float:
        return self._clock()

    def head(self) -> Head:
        with self._reading_on_cursor() as cursor:
            return find_head(cursor)

    def try_to_write(self) -> None:
        values = {"name": "trial", "value": _TRIAL}
        change = upsert(facts).values(values).on_conflict_do_update(index_elements=[facts.c.name], set_=values)
        with _log_errors(), write(self._engine) as connection:
            connection.execute(change)

    def read(self, after: int, limit: int, kinds: Collection[str] | None = None) -> list[StoredRow]:
        if kinds is None:
            return self._rows(_AFTER, {"after": after, "most": limit})
        return self._rows(_AFTER_OF_KINDS, {"after": after, "most": limit, "kinds": list(kinds)})

    def find_by_key(self, keys: Sequence[str]) -> list[StoredRow]:
        with self._reading_on_cursor() as cursor:
            return [to_stored_row(values) for values in find_rows(cursor, (), dict.fromkeys(keys))]

    def find_by_event(self, event_ids: Sequence[str], kinds: Collection[str] | None = None) -> list[StoredRow]:
        with self._reading_on_cursor() as cursor:
            lookups = Lookups.of_events(event_ids)
            keys = lookups.keys if kinds is None or DecisionRow.kind in kinds else ()
            rows = map(to_stored_row, find_rows(cursor, lookups.event_ids, keys))
            return [row for row in rows if kinds is None or row.kind in kinds]

    def find_by_shopper(
        self, shopper_id: str, limit: int, before: int | None = None, kinds: Collection[str] | None = None
    ) -> list[StoredRow]:
        query = _OF_SHOPPER.limit(limit)
        if before is not None:
            query = query.where(log.c.position < before)
        if kinds is not None:
            query = query.where(log.c.kind.in_(kinds))
        return self._rows(query, {"shopper_id": shopper_id})

    def find_first_reaching(self, time: float, first: int = 1) -> int | None:
        with self._reading() as connection:
            corrections = connection.execute(_CORRECTIONS, {"after": first}).scalars().all()
            # Between two clock corrections the watermark never falls, so that its index finds the first position.
            for start, end in pairwise([first, *corrections, _AFTER_ALL]):
                values = {"time": time, "start": start, "end": end}
                if (position := connection.execute(_FIRST_REACHING, values).scalar()) is not None:
                    return int(position)
        return None

    def find_last(self, kind: str) -> StoredRow | None:
        return next(iter(self._rows(_LAST_OF_KIND, {"kind": kind})), None)

    def store_fact(self, name: str, value: str) -> str:
        with _log_errors(), write(self._engine) as connection:
            # PostgreSQL spells this the same way, from its own dialect's `insert`.
            connection.execute(upsert(facts).values(name=name, value=value).on_conflict_do_nothing())
            return str(connection.execute(_FACT, {"name": name}).scalar_one())

    def read_fact(self, name: str) -> str | None:
        with self._reading() as connection:
            return connection.execute(_FACT, {"name": name}).scalar()

    def _remember(self, batch: Batch) -> None:
        """Remember the last position of a batch that was committed, and report what was corrected."""
        if batch.rows:
            self._committed.advance(batch.position)
        _report_leads(batch)

    def _rows(self, query: Executable, values: Mapping[str, Any]) -> list[StoredRow]:
        with self._reading() as connection:
            return [to_stored_row(row) for row in connection.execute(query, values)]

    def _begin(self, cursor: Cursor, lookups: Lookups) -> Batch:
        """Begin a batch with what its rows and their conditions need of the log, read under the write lock."""
        head, kinds = find_head(cursor), kinds_of(lookups.queries)
        return Batch(
            head,
            now=self._clock(),
            most_lead_s=MOST_LEAD_S if self._is_wall(cursor) else inf,
            rows=find_rows(cursor, lookups.event_ids, lookups.keys),
            kinds=kinds,
            last_positions=find_last_positions(cursor, lookups.queries, kinds, head.position),
        )

    def _is_wall(self, cursor: Cursor) -> bool:
        """Return whether the time of the log is that of the wall clock: a fact that is stored once."""
        if self._clock_mode is None:
            self._clock_mode = find_fact(cursor, CLOCK_FACT)
        return self._clock_mode == WALL

    @contextmanager
    def _reading_on_cursor(self) -> Iterator[Cursor]:
        with _log_errors(), read_on_cursor(self._engine) as cursor:
            yield cursor

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _log_errors(), self._engine.connect() as connection:
            yield connection


def _report_leads(batch: Batch) -> None:
    for lead_s in batch.leads_s:
        metrics.CLOCK_CORRECTIONS.inc()
        _logger.warning(
            "the log's time was %.1f s ahead of this machine's clock, and is corrected: windows that ended meanwhile "
            "stay closed, and deferred sends that expired stay expired",
            lead_s,
        )


def _change(row: StoredRow, key: str | None, replacement: Replacement) -> dict[str, Any]:
    return {
        "at_position": row.position,
        "new_shopper": replacement.row.shopper_id,
        "new_key": key if replacement.keeps_key else None,
        "new_body": encode_body(replacement.row),
    }


@contextmanager
def _log_errors() -> Iterator[None]:
    """Map every driver error to `LogUnavailable`, or to `LogCorrupt` where trying again does not help."""
    try:
        with errors():
            yield
    except SchemaMismatch as error:
        raise LogCorrupt(str(error)) from error
    except DatabaseUnavailable as error:
        raise _translate(error) from error


def _translate(error: DatabaseUnavailable) -> LogUnavailable:
    return (LogCorrupt if is_damage(error) else LogUnavailable)(str(error))
