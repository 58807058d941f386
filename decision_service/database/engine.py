"""The database: engines, writing transactions, and the error that stands for every driver error."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, MetaData, PoolProxiedConnection, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from decision_service.database.sqlite_url import find_file

Cursor = sqlite3.Cursor

_BUSY_MS = 10_000


class DatabaseUnavailable(Exception):
    """The database cannot be reached, is locked, or is damaged."""


def open_engine(url: str, metadata: MetaData) -> Engine:
    """Open a database and create its tables where they are missing.

    SQLite runs in WAL mode with ``synchronous=FULL``: under group commit this costs nothing measurable, and rows that
    were acknowledged survive a power cut.

    Raises
    ------
    ValueError
        For another dialect than SQLite.
    DatabaseUnavailable
        When it cannot be opened.
    """
    file = find_file(url)
    if file is None:
        raise ValueError("only SQLite is supported yet: sqlite:///path")
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        connect_args={"timeout": _BUSY_MS / 1000, "check_same_thread": False},
        hide_parameters=True,  # the salt and what rows say must not stand in the text of an error
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin_deferred)
    # Two processes may open a new file at once: the second waits for the first in `write`.
    with errors(), write(engine) as connection:
        metadata.create_all(connection)
    return engine


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    # With secure_delete an erasure overwrites bytes in the file; without it they would only be unlinked.
    for pragma in (f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.pop("writes", False) else "BEGIN")


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """Begin a writing transaction, alone in the database from its first statement on.

    ``BEGIN IMMEDIATE`` takes the write lock before anything is read, so positions are given in commit order.
    PostgreSQL will take an advisory lock here.
    """
    with engine.connect() as connection:
        connection.info["writes"] = True
        with connection.begin():
            yield connection


class Writer:
    """The one connection that a process appends with, on the driver's own cursor.

    SQLAlchemy's share of a small statement costs more than the statement itself, and a connection from the pool costs
    as much again. So the statements that every decision waits for run without both.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: PoolProxiedConnection | None = None
        self._turn = threading.Lock()

    @contextmanager
    def write(self) -> Iterator[Cursor]:
        """Begin a writing transaction, alone in the database from its first statement on: see `write`."""
        with self._turn:
            connection = self._connection = self._connection or self._engine.raw_connection()
            cursor: Cursor = connection.cursor()  # type: ignore[assignment]
            try:
                cursor.execute("BEGIN IMMEDIATE")
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                self._return_connection()
                raise

    def close(self) -> None:
        with self._turn:
            self._return_connection()

    def _return_connection(self) -> None:
        """Return the connection to the pool, which rolls back what was not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


@contextmanager
def read_on_cursor(engine: Engine) -> Iterator[Cursor]:
    """Begin a reading transaction on the driver's own cursor: all its statements see the same rows."""
    connection = engine.raw_connection()
    try:
        cursor: Cursor = connection.cursor()  # type: ignore[assignment]
        cursor.execute("BEGIN")
        yield cursor
    finally:
        connection.close()  # gives the connection back to the pool, which ends the transaction


def driver_cursor(connection: Connection) -> Cursor:
    """Return a cursor of the driver, in the transaction that a connection has begun."""
    cursor: Cursor = connection.connection.cursor()  # type: ignore[assignment]
    return cursor


@contextmanager
def errors() -> Iterator[None]:
    """Map every driver error to `DatabaseUnavailable`."""
    try:
        yield
    except DBAPIError as error:
        raise DatabaseUnavailable(str(error.orig)) from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise DatabaseUnavailable(str(error)) from error


def find_damage(engine: Engine, within_s: float) -> str | None:
    """Return what is damaged in a database: the first damage that SQLite finds within this time, or None."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        timer = threading.Timer(min(within_s, threading.TIMEOUT_MAX), lambda: driver and driver.interrupt())
        timer.start()
        try:
            damage = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        except OperationalError as error:
            if "interrupted" not in str(error.orig):
                raise
            return None
        finally:
            timer.cancel()
    return None if damage == "ok" else str(damage)


def is_damage(error: Exception) -> bool:
    """Return whether an error says that a database is damaged, or no database."""
    cause = error.__cause__
    text = str(cause.orig if isinstance(cause, DBAPIError) else cause)
    return any(sign in text for sign in ("malformed", "not a database", "no such table", "no such column"))
