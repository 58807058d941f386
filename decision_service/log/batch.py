"""The rows of one transaction: their positions and the conditions on them, without a database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from types import MappingProxyType

from decision_service.log.base import (
    Appended,
    AppendResult,
    ConditionFailed,
    DuplicateKey,
    Head,
    NewRow,
    StaleIncarnation,
    StoredRow,
)
from decision_service.log.condition import UNCONDITIONAL, AppendCondition, Query
from decision_service.log.row_times import at_watermark
from policies.records.rows import ClockCorrectionRow, ErasureRow, FenceRow, encode
from policies.records.watermark import watermark_after

LastPositions = Mapping[tuple[str, str], int]
"""The position of the last row by shopper and kind."""


class Batch:
    """The rows of one transaction, numbered from the head of the log on.

    Parameters
    ----------
    head
        The end of the log, under the write lock.
    now
        The time by the log's clock, under the write lock.
    most_lead_s
        How far the watermark may be ahead of the clock; a greater lead is corrected before the next row.
    event_rows
        The log's rows of all events that the new rows or their conditions name, in position order.
    rows_by_key
        The log's rows that have one of the new rows' keys.
    last_positions
        The positions of the log's last rows of the shoppers and kinds that conditions query; a row that no query can
        match, because its position is too small, may be missing.

    Examples
    --------
    >>> from policies.records.rows import ClockRow
    >>> batch = Batch(Head(position=7, watermark=5.0), now=0.0, event_rows=(), rows_by_key={})
    >>> batch.add(NewRow(ClockRow(4.0), key="k"))
    Appended(position=8, watermark=5.0, follow_ups=0)
    >>> batch.add(NewRow(ClockRow(6.0), key="k")).row.position
    8
    """

    def __init__(
        self,
        head: Head,
        *,
        now: float,
        most_lead_s: float = inf,
        event_rows: Iterable[StoredRow],
        rows_by_key: Mapping[str, StoredRow],
        last_positions: LastPositions = MappingProxyType({}),
    ) -> None:
        self._head = head
        self._now = now
        self._most_lead_s = most_lead_s
        self._last_positions = dict(last_positions)
        self._rows_by_key = dict(rows_by_key)
        self._event_rows: dict[str, list[StoredRow]] = defaultdict(list)
        for row in event_rows:
            self._event_rows[row.event_id or ""].append(row)
        self.rows: list[tuple[StoredRow, str | None]] = []
        """The rows to be written, each with its key."""
        self.leads_s: list[float] = []
        """The leads that are corrected."""

    def add(self, new: NewRow) -> AppendResult:
        """Number a row, unless its key is in use or its condition does not hold; correct the clock first."""
        lead_s = self._head.watermark - self._now
        if lead_s > self._most_lead_s:
            self.leads_s.append(lead_s)
            self._remember(_store(NewRow(ClockCorrectionRow(self._now)), self._head), None)
        return self._add(new)

    def _add(self, new: NewRow) -> AppendResult:
        if new.key is not None and (known := self._rows_by_key.get(new.key)) is not None:
            return DuplicateKey(known)
        if new.condition is not UNCONDITIONAL and (failure := self._check(new)) is not None:
            return failure
        row = _store(new, self._head)
        earlier = tuple(self._event_rows[row.event_id]) if row.event_id is not None else ()
        self._remember(row, new.key)
        return Appended(row.position, row.watermark, self._add_follow_ups(new, earlier))

    def _add_follow_ups(self, new: NewRow, earlier: Sequence[StoredRow]) -> int:
        """Number the rows that follow a row directly; return how many."""
        if new.follow_up is None:
            return 0
        rows = new.follow_up([stored.row for stored in earlier])
        return sum(isinstance(self._add(row), Appended) for row in rows)

    def _check(self, new: NewRow) -> StaleIncarnation | ConditionFailed | None:
        """Return why the condition of a row does not hold, None if it does."""
        condition, head = new.condition, self._head
        if condition.incarnation is not None and condition.incarnation != head.incarnation:
            return StaleIncarnation(head.incarnation)
        if (failure := self._match(new.event_id, condition)) is not None:
            return failure
        if max(head.watermark, new.at) >= condition.watermark_below or head.watermark < condition.watermark_from:
            return ConditionFailed(head.position)
        if self._now > condition.deadline:
            return ConditionFailed(head.position)
        return None

    def _match(self, event_id: str | None, condition: AppendCondition) -> ConditionFailed | None:
        """Return the failure by rows of the log, None if no row fails the condition."""
        strangers = self._rows_of_others(event_id, condition.event_owner)
        matches = [match for query in condition.fail_if for match in self._matches(query)]
        if not strangers and not matches:
            return None
        position = max([*strangers, *(position for position, _ in matches)])
        return ConditionFailed(position, bool(strangers) or any(kind == ErasureRow.kind for _, kind in matches))

    def _rows_of_others(self, event_id: str | None, owner: str | None) -> list[int]:
        """Return the positions of an event's rows that are about another shopper than its owner."""
        if owner is None or event_id is None:
            return []
        rows = self._event_rows.get(event_id, ())
        return [row.position for row in rows if row.shopper_id not in (None, owner)]

    def _matches(self, query: Query) -> list[tuple[int, str]]:
        """Return the positions and kinds of rows that match a query: of each shopper and kind the last one."""
        last = [
            (position, kind)
            for shopper in query.shoppers
            for kind in query.kinds
            if (position := self._last_positions.get((shopper, kind), 0)) > query.after
        ]
        rows = self._event_rows.get(query.event_id, ()) if query.event_id is not None else ()
        return last + [
            (row.position, row.kind) for row in rows if row.kind in query.kinds and row.position > query.after
        ]

    def _remember(self, row: StoredRow, key: str | None) -> None:
        """Let later rows of the batch, and their conditions, find a row."""
        self._head = Head(row.position, row.watermark, row.incarnation)
        self.rows.append((row, key))
        if key is not None:
            self._rows_by_key[key] = row
        if row.event_id is not None:
            self._event_rows[row.event_id].append(row)
        if row.shopper_id is not None:
            self._last_positions[row.shopper_id, row.kind] = row.position


def _store(new: NewRow, head: Head) -> StoredRow:
    """Make the row that follows the head of the log."""
    watermark = watermark_after(head.watermark, new.row)
    row = at_watermark(new.row, watermark)
    return StoredRow(
        position=head.position + 1,
        kind=new.kind,
        at=row.at,
        watermark=watermark,
        incarnation=head.incarnation + (new.kind == FenceRow.kind),
        event_id=new.event_id,
        shopper_id=new.shopper_id,
        body=new.body if row is new.row else encode(row),
    )
