"""The specification of the log: a list, and a search through all of it for everything."""

from __future__ import annotations

from dataclasses import dataclass, field

from decision_service.log.base import (
    Appended,
    AppendResult,
    ConditionFailed,
    DuplicateKey,
    NewRow,
    StaleIncarnation,
    StoredRow,
)
from decision_service.log.condition import AppendCondition, Query
from decision_service.log.row_bodies import encode_body
from decision_service.log.row_times import at_watermark
from policies.records.rows import ClockCorrectionRow
from tests.decision_service.log.rows import TIME


@dataclass
class ListLog:
    rows: list[StoredRow] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    is_wall: bool = False
    """Whether the log's time is that of the wall clock."""

    @property
    def watermark(self) -> float:
        """The maximum of the times since the last clock correction."""
        last = max((n for n, row in enumerate(self.rows) if row.kind == "clock_correction"), default=0)
        return max((row.at for row in self.rows[last:]), default=float("-inf"))

    def append(self, new: NewRow) -> AppendResult:
        """Append a row, behind a clock correction where the time of the log is too far ahead."""
        if self.is_wall and self.watermark > TIME + 300:
            self._write(NewRow(ClockCorrectionRow(TIME)), TIME)
        return self._append(new)

    def _append(self, new: NewRow) -> AppendResult:
        if new.key is not None and new.key in self.keys:
            return DuplicateKey(self.rows[self.keys.index(new.key)])
        incarnation = sum(row.kind == "fence" for row in self.rows)
        if new.condition.incarnation not in (None, incarnation):
            return StaleIncarnation(incarnation)
        watermark = max(self.watermark, new.at)
        if failing := self.failing(new.event_id, new.condition):
            erased = any(row.kind == "erasure" for row in failing) or any(self.others(new.event_id, new.condition))
            return ConditionFailed(max(row.position for row in failing), erased)
        if watermark >= new.condition.watermark_below or new.condition.deadline < TIME:
            return ConditionFailed(len(self.rows))
        if self.watermark < new.condition.watermark_from:
            return ConditionFailed(len(self.rows))
        earlier = [row.row for row in self.rows if new.event_id is not None and row.event_id == new.event_id]
        row = self._write(new, watermark)
        follow_ups = () if new.follow_up is None else new.follow_up(earlier, watermark)
        results = [self._append(follow_up) for follow_up in follow_ups]
        return Appended(row.position, watermark, sum(isinstance(result, Appended) for result in results))

    def _write(self, new: NewRow, watermark: float) -> StoredRow:
        incarnation = sum(row.kind == "fence" for row in self.rows)
        logged = at_watermark(new.row, watermark)
        row = StoredRow(
            position=len(self.rows) + 1,
            kind=new.kind,
            at=logged.at,
            watermark=watermark,
            incarnation=incarnation + (new.kind == "fence"),
            event_id=new.event_id,
            shopper_id=new.shopper_id,
            stored_body=encode_body(logged),
        )
        self.rows.append(row)
        self.keys.append(new.key)
        return row

    def failing(self, event_id: str | None, condition: AppendCondition) -> list[StoredRow]:
        """Return the rows that fail a condition."""
        matches = [row for query in condition.fail_if for row in self.matches(query)]
        return matches + self.others(event_id, condition)

    def others(self, event_id: str | None, condition: AppendCondition) -> list[StoredRow]:
        """Return the rows of an event that are about another shopper than the condition's."""
        owner, rows = condition.event_owner, self.rows if event_id is not None else []
        return [row for row in rows if row.event_id == event_id and owner and row.shopper_id not in (None, owner)]

    def matches(self, query: Query) -> list[StoredRow]:
        """Return the rows that match a query, as the vocabulary of dcb.events reads."""
        return [
            row
            for row in self.rows
            if row.kind in query.kinds
            and row.position > query.after
            and (row.shopper_id in query.shoppers or (query.event_id is not None and row.event_id == query.event_id))
        ]
