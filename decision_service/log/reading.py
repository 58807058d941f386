"""Reading the log in batches: every fold that follows the log reads it with these functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from math import inf
from typing import Protocol

from decision_service.log.base import StoredRow
from policies.records.rows import Row

BATCH = 1_000
"""Rows read at once."""


class ReadsRows(Protocol):
    """What is needed of a log to read it through."""

    def read(self, after: int, limit: int, kinds: Collection[str] | None = None) -> list[StoredRow]: ...


class FindsEvents(Protocol):
    """What is needed of a log to find the rows of events."""

    def find_by_event(self, event_ids: Sequence[str]) -> list[StoredRow]: ...


def read_rows(
    log: ReadsRows, after: int = 0, until: float = inf, kinds: Collection[str] | None = None, batch: int = BATCH
) -> Iterator[StoredRow]:
    """Read the rows after a position, of some kinds or all, until the log ends, a batch at a time.

    Rows that are appended while this reads are read too.

    Parameters
    ----------
    log
        The log.
    after, until
        The rows have positions greater than ``after``, and at most ``until``.
    kinds
        The rows are of these kinds.
    batch
        Rows held in memory at once.
    """
    for rows in read_batches(log, after, until, kinds, batch):
        rows.reverse()
        while rows:  # a row is let go with its decoded body as soon as the next one is read
            yield rows.pop()


def read_batches(
    log: ReadsRows, after: int = 0, until: float = inf, kinds: Collection[str] | None = None, batch: int = BATCH
) -> Iterator[list[StoredRow]]:
    """Read the rows of `read_rows` as lists."""
    while after < until and (rows := log.read(after, int(min(batch, until - after)), kinds)):
        after = rows[-1].position
        if after > until:
            rows = [row for row in rows if row.position <= until]
        if rows:
            yield rows


def find_events(log: FindsEvents, event_ids: Sequence[str]) -> dict[str, list[tuple[int, Row]]]:
    """Return the rows of events with their positions, by event id, in position order."""
    rows: defaultdict[str, list[tuple[int, Row]]] = defaultdict(list)
    for stored in log.find_by_event(event_ids):
        rows[stored.event_id or ""].append((stored.position, stored.row))
    return dict(rows)
