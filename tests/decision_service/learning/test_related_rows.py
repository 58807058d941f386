"""Rows that were read ahead are those that the log would return."""

from __future__ import annotations

from pathlib import Path

from decision_service.learning.related_rows import RelatedRows
from decision_service.log.base import NewRow
from decision_service.log.reading import find_events
from decision_service.log.sql import SqlLog
from tests.factories import outcome_row, send_row


def test_rows_that_were_read_ahead_are_those_of_the_log(tmp_path: Path) -> None:
    log = SqlLog.open(f"sqlite:///{tmp_path}/log.sqlite")
    names = [f"e-{number}" for number in range(5)]
    log.append([NewRow(send_row(name)) for name in names] + [NewRow(outcome_row("click", name)) for name in names])
    related = RelatedRows(log)
    related.read_ahead(["e-0", "e-1", "unknown"])
    assert related.find(["e-1", "e-3", "unknown"]) == find_events(log, ["e-1", "e-3"])
    related.read_ahead([])
    assert related.find(["e-1", "unknown"]) == find_events(log, ["e-1"])


def test_an_event_that_was_read_ahead_is_not_read_again(tmp_path: Path) -> None:
    log = SqlLog.open(f"sqlite:///{tmp_path}/log.sqlite")
    log.append([NewRow(send_row("e-1"))])
    related = RelatedRows(log)
    related.read_ahead(["e-1"])
    log.append([NewRow(outcome_row("click", "e-1"))])
    assert len(related.find(["e-1"])["e-1"]) == 1
    related.read_ahead(["e-1"])
    assert len(related.find(["e-1"])["e-1"]) == 2
