"""The rows of one transaction: their positions and the conditions on them, without a database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf
from types import MappingProxyType
from typing import Any

from decision_service.log.base import (
    Appended,
    AppendResult,
    ConditionFailed,
    DamagedRow,
    DuplicateKey,
    Head,
    NewRow,
    StaleIncarnation,
    StoredRow,
)
from decision_service.log.condition import UNCONDITIONAL, AppendCondition, Query
from decision_service.log.row_bodies import encode_body
from decision_service.log.row_times import at_watermark
from policies.records.rows import ClockCorrectionRow, ErasureRow, FenceRow
from policies.records.watermark import watermark_after

Values = tuple[int, str, float, float, int, str | None, str | None, str | None, bytes]
"""The values of a row in the order of the table's columns: those of `StoredRow`, with the key before the body."""

LastPositions = Mapping[str, Mapping[str, int]]
"""The position of the last row of each kind, by shopper."""

_Match = tuple[int, str]
"""The position and the kind of a row that fails a condition."""


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
    rows
        The log's rows of all events that the new rows or their conditions name, and those that have one of the new
        rows' keys, in position order.
    kinds
        The kinds that queries about shoppers name.
    last_positions
        The positions of the log's last rows of the shoppers and kinds that conditions query; a row that no query can
        match, because its position is too small, may be missing.

    Examples
    --------
    >>> from policies.records.rows import ClockRow
    >>> batch = Batch(Head(position=7, watermark=5.0), now=0.0)
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
        rows: Iterable[Values] = (),
        kinds: Collection[str] = (),
        last_positions: LastPositions = MappingProxyType({}),
    ) -> None:
        self.position = head.position
        """The position of the last row."""
        self._watermark, self._incarnation = head.watermark, head.incarnation
        self._now = now
        self._most_lead_s = most_lead_s
        self._kinds = kinds
        self._last_positions = {shopper: dict(positions) for shopper, positions in last_positions.items()}
        self._by_key: dict[str, Values] = {}
        self._by_event: defaultdict[str, list[Values]] = defaultdict(list)
        for values in rows:
            _, _, _, _, _, event_id, _, key, _ = values
            if event_id is not None:
                self._by_event[event_id].append(values)
            if key is not None:
                self._by_key[key] = values
        self.rows: list[Values] = []
        """The rows to be written."""
        self.leads_s: list[float] = []
        """The leads that are corrected."""

    def add(self, new: NewRow) -> AppendResult:
        """Number a row, unless its key is in use or its condition does not hold; correct the clock first."""
        lead_s = self._watermark - self._now
        if lead_s > self._most_lead_s:
            self.leads_s.append(lead_s)
            self._number(NewRow(ClockCorrectionRow(self._now)))
        return self._add(new)

    def last_row(self) -> StoredRow:
        """Return the last row that was numbered."""
        return to_stored_row(self.rows[-1])

    def _add(self, new: NewRow) -> AppendResult:
        if new.key is not None and (known := self._by_key.get(new.key)) is not None:
            stored = to_stored_row(known)
            return DuplicateKey(stored) if stored.is_whole else DamagedRow(stored.position)
        if new.condition is not UNCONDITIONAL and (failure := self._check(new, new.condition)) is not None:
            return failure
        if new.follow_up is None or not (rows := self._rows_of(new.event_id)):
            return Appended(*self._number(new))
        earlier = [to_stored_row(values) for values in rows]
        if damaged := [stored.position for stored in earlier if not stored.is_whole]:
            return DamagedRow(damaged[-1])
        position, watermark = self._number(new)
        return Appended(position, watermark, self._add_follow_ups(new, earlier))

    def _add_follow_ups(self, new: NewRow, earlier: Sequence[StoredRow]) -> int:
        """Number the rows that follow a row directly; return how many."""
        rows = () if new.follow_up is None else new.follow_up([stored.row for stored in earlier], self._watermark)
        return sum(isinstance(self._add(row), Appended) for row in rows)

    def _check(self, new: NewRow, condition: AppendCondition) -> StaleIncarnation | ConditionFailed | None:
        """Return why the condition of a row does not hold, None if it does."""
        if condition.incarnation is not None and condition.incarnation != self._incarnation:
            return StaleIncarnation(self._incarnation)
        matches = [] if condition.event_owner is None else self._rows_of_others(new.event_id, condition.event_owner)
        for query in condition.fail_if:
            if self._last_positions or query.event_id is not None:
                matches += self._matches(query)
        if matches:
            return ConditionFailed(max(matches)[0], any(kind == ErasureRow.kind for _, kind in matches))
        if max(self._watermark, new.at) >= condition.watermark_below or self._watermark < condition.watermark_from:
            return ConditionFailed(self.position)
        if self._now > condition.deadline:
            return ConditionFailed(self.position)
        return None

    def _rows_of_others(self, event_id: str | None, owner: str) -> list[_Match]:
        """Return an event's rows that are about another shopper than its owner: an erasure put them there."""
        shoppers = [(position, shopper) for position, _, _, _, _, _, shopper, _, _ in self._rows_of(event_id)]
        return [(position, ErasureRow.kind) for position, shopper in shoppers if shopper not in (None, owner)]

    def _matches(self, query: Query) -> list[_Match]:
        """Return the rows that match a query: of each shopper and kind the last one."""
        matches: list[_Match] = []
        for shopper in query.shoppers:
            positions = self._last_positions.get(shopper, {})
            matches += [(position, kind) for kind, position in positions.items() if kind in query.kinds]
        if query.event_id is not None:
            rows = self._rows_of(query.event_id)
            matches += [(position, kind) for position, kind, *_ in rows if kind in query.kinds]
        return [match for match in matches if match[0] > query.after] if matches else matches

    def _rows_of(self, event_id: str | None) -> Sequence[Values]:
        """Return the rows of an event so far, in position order."""
        return () if event_id is None else self._by_event.get(event_id, ())

    def _number(self, new: NewRow) -> tuple[int, float]:
        """Number a row and let later rows of the batch find it; return its position and its watermark."""
        row, kind, body = new.row, new.kind, new.body
        self.position += 1
        self._watermark = watermark = watermark_after(self._watermark, row)
        self._incarnation += kind == FenceRow.kind
        logged = at_watermark(row, watermark)
        if logged is not row:
            body = encode_body(logged)
        event_id, shopper_id, key = new.event_id, new.shopper_id, new.key
        values = (self.position, kind, logged.at, watermark, self._incarnation, event_id, shopper_id, key, body)
        self.rows.append(values)
        if key is not None:
            self._by_key[key] = values
        if event_id is not None:
            self._by_event[event_id].append(values)
        if shopper_id is not None and kind in self._kinds:
            self._last_positions.setdefault(shopper_id, {})[kind] = self.position
        return self.position, watermark


def to_stored_row(values: Sequence[Any]) -> StoredRow:
    """Return the row that has these `Values`."""
    position, kind, at, watermark, incarnation, event_id, shopper_id, _, body = values
    return StoredRow(position, kind, at, watermark, incarnation, event_id, shopper_id, body)
