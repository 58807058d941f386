"""SQLite's statements on the driver's own cursor: those of an append, and those that find rows by event or key.

A whole batch takes a few statements. `sql` has the statements that are rarer, in SQLAlchemy. A second database gets a
module like this one, with other statements and the same results.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from decision_service.database.engine import Cursor
from decision_service.log.base import Head
from decision_service.log.batch import LastPositions, Values
from decision_service.log.condition import Query
from decision_service.log.lookups import UntrustedKey
from decision_service.log.schema import OTHER_KEY

_NUL = "\\u0000"
"""The character NUL as JSON writes it."""

_NEAR = 1_000
"""If a query looks back at most so many rows, these rows are searched by kind, for all shoppers at once."""

_ROW = "position, kind, at, watermark, incarnation, event_id, shopper_id, key, body"
_HEAD = "SELECT position, watermark, incarnation FROM log ORDER BY position DESC LIMIT 1"
_FACT = "SELECT value FROM facts WHERE name = ?"
_NAMES = "(SELECT value AS name FROM json_each(?))"
"""A table of names, given as one text: a list in JSON. SQLite reads it four times faster than a parameter per name.

`CROSS JOIN` makes SQLite look for each name, and not for each row among the names.
"""

_NAME = "(SELECT ? AS name)"
_OF_EVENTS = f"SELECT {_ROW} FROM {_NAMES} CROSS JOIN log ON event_id = name AND {OTHER_KEY}"
_OF_KEYS = f"SELECT {_ROW} FROM {_NAMES} CROSS JOIN log ON key = name"
_LAST_OF_KINDS = """
    SELECT log.shopper_id, log.kind, log.position FROM json_each(?) AS kinds
    JOIN log ON log.kind = kinds.value AND log.position > ?
"""
_LAST_OF_SHOPPERS = f"""
    SELECT shopper_id, kind, max(position) FROM {_NAMES} CROSS JOIN log ON shopper_id = name AND position > ?
    GROUP BY shopper_id, kind
"""
_INSERT = """
    INSERT INTO log (position, kind, at, watermark, incarnation, event_id, shopper_id, key, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def find_head(cursor: Cursor) -> Head:
    """Return the end of the log."""
    last = cursor.execute(_HEAD).fetchone()
    return Head(*last) if last is not None else Head()


def find_fact(cursor: Cursor, name: str) -> str | None:
    """Return the value of a fact, None if it was never stored."""
    fact = cursor.execute(_FACT, (name,)).fetchone()
    return None if fact is None else str(fact[0])


def find_rows(cursor: Cursor, event_ids: Collection[str], keys: Collection[str]) -> list[Values]:
    """Return the rows of events that do not have the key of the event's decision, and the rows that have these keys.

    The rows are in position order: see `OTHER_KEY`.
    """
    rows = {values[0]: values for values in _select(cursor, _OF_EVENTS, event_ids)}
    rows.update((values[0], values) for values in _select(cursor, _OF_KEYS, keys))
    return [rows[position] for position in sorted(rows)]


def find_last_positions(cursor: Cursor, queries: Sequence[Query], kinds: Collection[str], head: int) -> LastPositions:
    """Return the positions of the last rows that queries about shoppers may match, by shopper and kind.

    Positions of other shoppers may be among them, and of other kinds than the ``kinds`` that the queries name.
    """
    after = min([query.after for query in queries], default=head)
    if after >= head:
        return {}
    positions: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for shopper, kind, position in _find_positions(cursor, queries, kinds, after, head):
        if shopper is not None and position > positions[shopper].get(kind, 0):
            positions[shopper][kind] = position
    return positions


def _find_positions(
    cursor: Cursor, queries: Sequence[Query], kinds: Collection[str], after: int, head: int
) -> Iterable[Any]:
    """Return the shoppers, kinds and positions of the rows after a position that queries may match.

    A condition looks back to the position that a shopper's state contained, a moment ago. Few rows were written since,
    and still fewer have the kinds that matter: so one short search in the index of kinds serves any number of shoppers.
    """
    if head - after <= _NEAR:
        return cursor.execute(_LAST_OF_KINDS, (_as_json(kinds), after))
    shoppers = {shopper for query in queries for shopper in query.shoppers}
    return _select(cursor, _LAST_OF_SHOPPERS, shoppers, (after,))


def insert_rows(cursor: Cursor, rows: Iterable[Values]) -> None:
    """Insert the rows of a batch.

    Raises
    ------
    UntrustedKey
        When a key is in use.
    """
    try:
        cursor.executemany(_INSERT, rows)
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            raise
        raise UntrustedKey from error


def _select(cursor: Cursor, statement: str, names: Collection[str], values: tuple[object, ...] = ()) -> list[Any]:
    """Run a statement for all names."""
    if not names:
        return []
    text = _as_json(names)
    if _NUL not in text:
        return cursor.execute(statement, (text, *values)).fetchall()
    of_one = statement.replace(_NAMES, _NAME)  # SQLite ends a text in JSON at the character NUL
    return [row for name in names for row in cursor.execute(of_one, (name, *values)).fetchall()]


def _as_json(names: Collection[str]) -> str:
    return msgspec.json.encode([*names]).decode()
