"""The reporter: reads the log for a report, in batches, while other requests are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from pydantic import AfterValidator, BeforeValidator, Field

from decision_service.errors import Invalid
from decision_service.log.base import EventLog, Head, StoredRow
from decision_service.log.reading import read_rows
from decision_service.projection.erased_shoppers import ErasedShoppers
from decision_service.queries.report.coalescer import Coalescer
from decision_service.queries.report.grouping import By, grouping_in_zone
from decision_service.queries.report.report import ReportCells, ReportTable
from decision_service.queries.report.span import Span
from decision_service.schemas.body_types import Body
from decision_service.schemas.decision_answer import iso, optional_iso
from decision_service.schemas.field_types import Time
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.time_zones import is_time_zone
from policies.learning.windows import Owner
from policies.records.rows import ClockCorrectionRow, ClockRow, FenceRow

_BATCH = 500
_REPORTS_PER_PASS = 16
"""Reports that share a pass at most: each takes memory of its own."""

_SILENT = (ClockRow.kind, ClockCorrectionRow.kind, FenceRow.kind)
"""Kinds of rows that have nothing but a time."""


def _iso_time(text: object) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError("must be an ISO 8601 time, such as 2026-11-21T17:00:00Z (a + is written %2B)") from None


QueryTime = Annotated[Time, BeforeValidator(_iso_time, json_schema_input_type=str)]


def _check_zone(name: str) -> str:
    if not is_time_zone(name):
        raise ValueError("must be a time zone of the IANA database, such as Europe/Madrid")
    return name


class ReportQuery(Body):
    """What a report is to be about."""

    start: QueryTime | None = Field(None, alias="from", description="Decisions from this time on (default: the first).")
    end: QueryTime | None = Field(None, alias="to", description="Decisions before this time (default: all later ones).")
    by: By | None = Field(None, description="What the rows of the report are; without it there is the total alone.")
    time_zone: Annotated[str, AfterValidator(_check_zone)] = Field(
        "UTC", description="The zone of hours and days, such as `Europe/Madrid`."
    )


class ReportAnswer(ReportTable, frozen=True, kw_only=True):
    """A report, straight from the log."""

    start: Annotated[str | None, Meta(description="As asked.")] = msgspec.field(name="from")
    end: Annotated[str | None, Meta(description="As asked.")] = msgspec.field(name="to")
    by: Annotated[By | None, Meta(description="As asked.")]
    time_zone: Annotated[str, Meta(description="The zone of hours and days.")]
    log_position: Annotated[int, Meta(description="The report contains every row of the log up to this one.")]
    as_of: Annotated[str | None, Meta(description="The latest time that the log knew; null while it is empty.")]


class Reporter:
    """Makes reports.

    A report reads the whole log once, a batch at a time in a thread: the event loop does not wait for it, and memory
    does not grow with the log's length. Memory grows by some 300 bytes per send in the span, by the keys of the
    shoppers, and by the orders per buyer. One pass over the log is made at a time, so that several requests slow
    decisions down no more than one; all reports that are asked for meanwhile share the next pass.

    Parameters
    ----------
    log
        Where the rows are.
    shopper_keys
        Makes the keys that erased shoppers are known by.
    """

    def __init__(self, log: EventLog, shopper_keys: ShopperKeys) -> None:
        self._log = log
        self._shopper_keys = shopper_keys
        self._passes: Coalescer[ReportQuery, dict[str, Any]] = Coalescer(self._share_pass, _REPORTS_PER_PASS)

    async def report(self, query: ReportQuery) -> dict[str, Any]:
        """Make the report that a query asks for, in the form of `ReportAnswer`.

        Raises
        ------
        Invalid
            When the span ends before it starts.
        LogUnavailable
            When the log cannot be read.
        """
        if query.start is not None and query.end is not None and query.end <= query.start:
            raise Invalid.field("to", "must be later than from")
        return await self._passes(query)

    async def _share_pass(self, queries: Sequence[ReportQuery]) -> Sequence[dict[str, Any]]:
        return await asyncio.to_thread(self._make_reports, queries)

    def _make_reports(self, queries: Sequence[ReportQuery]) -> list[dict[str, Any]]:
        """Make all reports in one pass over the log; equal queries are answered once."""
        owner = ErasedShoppers(self._log, self._shopper_keys).key_of
        head = self._log.head()
        cells = {query: self._cells(query, owner) for query in queries}
        for row in read_rows(self._log, until=head.position, batch=_BATCH):
            for cells_of_query in cells.values():
                _add(cells_of_query, row)
        reports = {query: _answer(query, known.answer(head.watermark), head) for query, known in cells.items()}
        return [reports[query] for query in queries]

    def _cells(self, query: ReportQuery, owner: Owner) -> ReportCells:
        group = None if query.by is None else grouping_in_zone(query.by, query.time_zone)
        return ReportCells(_span(query), group, self._shopper_keys.key, owner)


def _answer(query: ReportQuery, table: ReportTable, head: Head) -> dict[str, Any]:
    return {
        "from": None if query.start is None else iso(query.start.timestamp()),
        "to": None if query.end is None else iso(query.end.timestamp()),
        "by": query.by,
        "time_zone": query.time_zone,
        "log_position": head.position,
        "as_of": optional_iso(head.watermark if head.position else None),
        **msgspec.structs.asdict(table),
        "rows": [{"group": row.group, **msgspec.structs.asdict(row)} for row in table.rows],
    }


def _add(cells: ReportCells, row: StoredRow) -> None:
    if row.kind in _SILENT:
        return
    if cells.needs(row.kind, row.at):
        cells.add(row.position, row.row)
    else:  # a decision of another time is not worth decoding
        cells.meet(row.shopper_id, row.at)


def _span(query: ReportQuery) -> Span:
    start, end = (None if bound is None else bound.timestamp() for bound in (query.start, query.end))
    return Span(**{name: at for name, at in (("start", start), ("end", end)) if at is not None})
