"""What the log in SQLite promises beyond the port's laws: commit order, crashes, damage, versions."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, event

from decision_service.log.base import (
    Appended,
    ConditionFailed,
    DamagedRow,
    DuplicateKey,
    EventLog,
    Head,
    LogCorrupt,
    LogUnavailable,
    NewRow,
    StoredRow,
)
from decision_service.log.condition import AppendCondition
from decision_service.log.group_commit import GroupCommit
from decision_service.log.keys import decision_key
from decision_service.log.schema import metadata
from decision_service.log.sql import SqlLog
from policies.records.rows import CancellationRow, ClockRow, DecisionRow, EventRow, OutcomeRow, encode
from tests.decision_service.log.rows import decision, outcome

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


@pytest.fixture
def log(path: Path) -> Iterator[SqlLog]:
    opened = SqlLog.open(f"sqlite:///{path}")
    yield opened
    opened.close()


def browsing(at: float, shopper_id: str = "s", **options: Any) -> NewRow:
    return NewRow(EventRow(at=at, shopper_id=shopper_id, type="product_view", occurred_at=at), **options)


def tail(log: EventLog, until: int) -> list[StoredRow]:
    """Follow the log as a projection does: always on from the last row seen."""
    seen: list[StoredRow] = []
    while len(seen) < until:
        seen += log.read(seen[-1].position if seen else 0, 7)
    return seen


class SlowTransaction:
    """Stops an append between the numbering of its rows and their insertion."""

    def __init__(self, log: SqlLog) -> None:
        self.numbered = threading.Event()
        self.go_on = threading.Event()
        event.listen(log._engine, "checkout", self._watch)

    def _watch(self, connection: sqlite3.Connection, *_rest: Any) -> None:
        connection.set_trace_callback(self._before)

    def _before(self, statement: str) -> None:
        if statement.lstrip().startswith("INSERT INTO log"):
            self.numbered.set()
            assert self.go_on.wait(60)


def test_of_two_slow_transactions_the_second_is_numbered_after_the_first_has_committed(log: SqlLog, path: Path) -> None:
    slow, other = SlowTransaction(log), SqlLog.open(f"sqlite:///{path}")
    second_numbered = SlowTransaction(other)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(log.append, [browsing(1.0, "first"), browsing(2.0, "first")])
        assert slow.numbered.wait(60)
        second = threads.submit(other.append, [browsing(3.0, "second")])
        # The reader does not wait for the writers, and sees nothing of what may still fail.
        assert other.read(0, 10) == []
        assert not second_numbered.numbered.is_set()
        slow.go_on.set()
        assert [result.position for result in first.result(60) if isinstance(result, Appended)] == [1, 2]
        assert second_numbered.numbered.wait(60)
        assert [row.position for row in log.read(0, 10)] == [1, 2]
        second_numbered.go_on.set()
        assert second.result(60) == [Appended(3, 3.0)]
    assert [row.shopper_id for row in log.read(0, 10)] == ["first", "first", "second"]
    other.close()


def test_an_append_that_fails_after_numbering_leaves_no_gap(log: SqlLog, path: Path) -> None:
    failing = "CREATE TRIGGER failing BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(failing)
        with pytest.raises(LogUnavailable, match="disk I/O error"):
            log.append([browsing(1.0, key="k")])
        database.execute("DROP TRIGGER failing")
    assert log.append([browsing(1.0, key="k")]) == [Appended(1, 1.0)]


def write_groups(url: str, name: str, groups: int) -> None:
    """Append groups of one to three rows, and in each group a decision that the other process wants to log as well."""
    log = SqlLog.open(url)
    for group in range(groups):
        shared = f"shared-{group}"
        rows = [NewRow(CancellationRow(group, f"{name}-{group}", "s")) for _ in range(1 + group % 3)]
        results = log.append([*rows, NewRow(decision(group, shared, name), decision_key(shared))])
        winner = log.find_by_event([shared])[0].shopper_id
        assert isinstance(results[-1], Appended if winner == name else DuplicateKey)
    log.close()


def test_a_reader_that_follows_two_writing_processes_misses_no_row(path: Path) -> None:
    url = f"sqlite:///{path}"
    writers = [SPAWN.Process(target=write_groups, args=(url, name, 90)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    log = SqlLog.open(url)  # all three open the new file at once
    rows = tail(log, until=2 * 180 + 90)
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert [row.position for row in rows] == list(range(1, 451))
    assert rows == log.read(0, 1_000)
    shared = [row.event_id for row in rows if row.kind == "decision"]
    assert sorted(shared, key=str) == sorted(f"shared-{group}" for group in range(90))
    for name in ("a", "b"):
        groups = [int(row.event_id.split("-")[1]) for row in rows if row.event_id and row.event_id.startswith(name)]
        assert groups == [group for group in range(90) for _ in range(1 + group % 3)]
    log.close()


def write_until_killed(url: str, acknowledged: Connection) -> None:
    """Append threes from 32 tasks at once, and tell of each only when it is durable."""

    async def worker(commits: GroupCommit, number: int) -> None:
        for turn in range(1_000_000):
            name = f"{number}-{turn}"
            await commits.append([NewRow(CancellationRow(1.0, name, "s" * 500)) for _ in range(3)])
            acknowledged.send(name)

    async def work() -> None:
        commits = GroupCommit(SqlLog.open(url))
        await asyncio.gather(*[worker(commits, number) for number in range(32)])

    asyncio.run(work())


def receive(source: Connection, limit: int) -> list[str]:
    names: list[str] = []
    try:
        while len(names) < limit:
            names.append(source.recv())
    except EOFError:
        pass
    return names


@pytest.mark.parametrize("acknowledgements", [1, 400, 1_100])
def test_what_was_acknowledged_survives_a_kill_and_no_group_is_torn(path: Path, acknowledgements: int) -> None:
    url = f"sqlite:///{path}"
    source, sink = SPAWN.Pipe(duplex=False)
    writer = SPAWN.Process(target=write_until_killed, args=(url, sink))
    writer.start()
    sink.close()
    names = receive(source, acknowledgements)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    names += receive(source, 1_000_000)
    source.close()
    log = SqlLog.open(url)
    rows = log.read(0, 1_000_000)
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    threes = [{row.event_id for row in rows[first : first + 3]} for first in range(0, len(rows), 3)]
    assert all(len(three) == 1 for three in threes)
    assert len(rows) % 3 == 0
    assert set(names) <= {row.event_id for row in rows}
    assert len(names) >= acknowledgements
    (result,) = log.append([browsing(2.0)])
    assert result == Appended(len(rows) + 1, 2.0)
    log.close()


def test_a_log_that_another_holds_is_unavailable_and_nothing_is_written(log: SqlLog, path: Path) -> None:
    with log._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=0")  # the pool hands this connection out again
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnavailable, match="locked") as caught:
        log.append([browsing(1.0)])
    assert not isinstance(caught.value, LogCorrupt)
    assert log.head() == Head()
    holder.execute("ROLLBACK")
    holder.close()
    assert log.append([browsing(1.0)]) == [Appended(1, 1.0)]


def test_the_deadline_is_judged_after_the_write_lock_was_taken(path: Path) -> None:
    time = 10.0
    log = SqlLog.open(f"sqlite:///{path}", clock=lambda: time)
    holder, asked = sqlite3.connect(path, isolation_level=None), threading.Event()
    event.listen(log._engine, "checkout", lambda *_: asked.set())
    holder.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor() as threads:
        appending = threads.submit(log.append, [browsing(1.0, condition=AppendCondition(deadline=20.0))])
        assert asked.wait(60)
        time = 21.0
        holder.execute("ROLLBACK")
        assert appending.result(60) == [ConditionFailed(0)]
    holder.close()
    log.close()


def test_a_file_that_is_no_database_is_corrupt(path: Path) -> None:
    path.write_bytes(b"not a database" * 1_000)
    with pytest.raises(LogCorrupt, match="not a database"):
        SqlLog.open(f"sqlite:///{path}")


def test_a_damaged_body_makes_the_log_corrupt(log: SqlLog, path: Path) -> None:
    log.append([NewRow(decision(1.0, "e1"))])
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE log SET body = substr(body, 1, length(body) - 1)")
    (stored,) = log.read(0, 1)
    assert not stored.is_whole
    with pytest.raises(LogCorrupt, match="the row at position 1 is damaged: the body of a row is damaged"):
        _ = stored.row


def test_a_damaged_body_harms_no_other_row_of_a_batch(log: SqlLog, path: Path) -> None:
    log.append([NewRow(decision(1.0, "e1"), decision_key("e1"))])
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE log SET body = substr(body, 1, length(body) - 1)")
    rows = [NewRow(decision(2.0, name), decision_key(name)) for name in ("e1", "e2")]
    assert log.append(rows) == [DamagedRow(1), Appended(2, 2.0)]
    stored = log.find_by_event(["e1", "e2"])
    assert [row.is_whole for row in stored] == [False, True], "neighbours are found all the same"


def test_a_body_that_is_no_row_makes_the_log_corrupt_and_is_named_by_its_position(log: SqlLog, path: Path) -> None:
    log.append([NewRow(ClockRow(at=1.0)), NewRow(ClockRow(at=2.0))])
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE log SET body = ? WHERE position = 2", (b"not JSON",))
    whole, damaged = log.read(0, 2)
    assert whole.row == ClockRow(at=1.0)
    with pytest.raises(LogCorrupt, match="the row at position 2 is damaged: JSON is malformed"):
        _ = damaged.row


def test_a_directory_that_is_missing_makes_the_log_unavailable(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="unable to open"):
        SqlLog.open(f"sqlite:///{tmp_path}/missing/log.sqlite")


@pytest.mark.parametrize("url", ["postgresql://host/database", "mysql://host/database"])
def test_another_dialect_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="only SQLite is supported yet"):
        SqlLog.open(url)


def test_the_database_is_in_wal_mode_and_waits_for_the_disk(log: SqlLog) -> None:
    with log._engine.connect() as connection:
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert values == ["wal", 2]


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


def test_the_migrations_make_the_schema_that_the_adapter_uses(log: SqlLog, engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "log_schema", "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_log_of_the_days_before_migrations_is_taken_over(path: Path, engine: Engine) -> None:
    metadata.create_all(engine)
    SqlLog.open(f"sqlite:///{path}").close()
    log = SqlLog.open(f"sqlite:///{path}")
    assert log.append([browsing(1.0)]) == [Appended(1, 1.0)]
    log.close()


FIRST_SCHEMA = """
    CREATE TABLE log (
        position INTEGER NOT NULL PRIMARY KEY, kind VARCHAR(16) NOT NULL, at FLOAT NOT NULL, watermark FLOAT NOT NULL,
        incarnation INTEGER NOT NULL, event_id VARCHAR(255), shopper_id VARCHAR(255), key VARCHAR UNIQUE,
        body BLOB NOT NULL
    );
    CREATE INDEX log_event ON log (event_id);
    CREATE INDEX log_shopper ON log (shopper_id, position);
    CREATE INDEX log_kind ON log (kind, position);
    CREATE INDEX log_watermark ON log (watermark);
    CREATE TABLE facts (name VARCHAR(64) NOT NULL PRIMARY KEY, value VARCHAR NOT NULL);
    CREATE TABLE log_schema (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
    INSERT INTO log_schema VALUES ('log_0001');
"""


def test_a_log_of_the_first_schema_goes_on_as_it_was(path: Path) -> None:
    """Its rows are found in every way, a key of its decisions stays in use, and its bodies stay as they are."""
    rows: list[OutcomeRow | DecisionRow] = [outcome(1.0, "e1"), decision(2.0, "e1"), decision(3.0, "e2")]
    keys = [None, decision_key("e1"), "of a version before keys were made so"]
    stored = [
        (n, row.kind, row.at, row.at, 0, row.event_id, row.shopper_id, key, encode(row))
        for n, (row, key) in enumerate(zip(rows, keys, strict=True), 1)
    ]
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(FIRST_SCHEMA)
        database.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", stored)
    log = SqlLog.open(f"sqlite:///{path}")
    assert [row.row for row in log.read(0, 10)] == rows
    assert [row.row for row in log.find_by_event(["e1", "e2"])] == rows
    assert log.append([NewRow(rows[1], keys[1])]) == [DuplicateKey(log.read(1, 1)[0])]
    assert log.append([NewRow(decision(4.0, "e3"), decision_key("e3"))]) == [Appended(4, 4.0)]
    assert [row.position for row in log.find_by_event(["e3", "e1"])] == [1, 2, 4]
    log.close()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT * FROM log WHERE position < 4").fetchall() == stored
        indexes = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")}
    assert indexes >= {"log_other_event", "log_shopper", "log_kind", "log_watermark"}
    assert "log_event" not in indexes


def test_a_log_of_a_newer_version_is_refused_and_left_alone(log: SqlLog, path: Path, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE log_schema SET version_num = 'log_9999'")
    with pytest.raises(LogCorrupt, match=r"log_9999.*newer"):
        SqlLog.open(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM log_schema").scalar() == "log_9999"


def test_no_error_shows_what_was_to_be_written(log: SqlLog, path: Path) -> None:
    """The salt of the shoppers' keys, for one: an error's text and its causes may stand in any log."""
    with log._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # of this connection, which the pool gives out again
    hidden = "pepper" * 2_000
    writes: list[Callable[[], object]] = [
        lambda: log.store_fact("salt", hidden),
        lambda: log.append([browsing(1.0, "pepper" * 30, key=hidden)]),
    ]
    for write in writes:
        with pytest.raises(LogUnavailable) as caught:
            write()
        assert str(caught.value) == "database or disk is full"
        assert "pepperpepper" not in "".join(traceback.format_exception(caught.value))
