"""The batch: numbers the entries of one transaction; the rules of the log, without a database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from decision_service.log.base import (
    CROSSING,
    ERASURE,
    FENCE,
    UNCONDITIONAL,
    Appended,
    Conflict,
    Entry,
    Fenced,
    Head,
    LogRow,
    Precluded,
    Result,
)


class Batch:
    """The rows of one transaction, numbered on from the head of the log.

    Parameters
    ----------
    head
        Where the log stands under the write lock.
    now
        What the log's clock says under the write lock.
    of_events
        The log's rows of the entries' event ids, in position order.
    by_key
        The log's rows that have one of the entries' keys.
    crossing
        The last positions of rows of the shoppers of the entries' conditions, by shopper and `CROSSING` kind.

    Examples
    --------
    >>> batch = Batch(Head(position=7, watermark=5.0), now=0.0, of_events=(), by_key={})
    >>> batch.add(Entry("clock", 4.0, b"{}", key="k"))
    Appended(position=8, watermark_before=5.0, watermark=5.0, followed=0)
    >>> batch.add(Entry("clock", 6.0, b"{}", key="k")).row.position
    8
    """

    def __init__(
        self,
        head: Head,
        *,
        now: float,
        of_events: Iterable[LogRow],
        by_key: Mapping[str, LogRow],
        crossing: Mapping[tuple[str, str], int] = MappingProxyType({}),
    ) -> None:
        self._head = head
        self._now = now
        self._crossing = dict(crossing)
        self._by_key = dict(by_key)
        self._by_event: dict[str, list[LogRow]] = defaultdict(list)
        for row in of_events:
            self._by_event[row.event_id or ""].append(row)
        self.rows: list[tuple[LogRow, str | None]] = []
        """What is to be written: each row with its key."""

    def add(self, entry: Entry) -> Result:
        """Number an entry, unless its key is taken, it is fenced off, or its condition does not hold."""
        if entry.key is not None and (winner := self._by_key.get(entry.key)) is not None:
            return Conflict(winner)
        before = self._head
        if entry.fence is not None and entry.fence != before.incarnation:
            return Fenced(before.incarnation)
        if entry.condition is not UNCONDITIONAL and (precluded := self._preclusion(entry)) is not None:
            return precluded
        row = _follow(before, entry)
        self._head = Head(row.position, row.watermark, row.incarnation)
        self.rows.append((row, entry.key))
        if row.kind in CROSSING and row.shopper_id is not None:
            self._crossing[row.shopper_id, row.kind] = row.position
        followed = self._follow_up(entry, self._remember(row, entry.key))
        return Appended(row.position, before.watermark, row.watermark, followed)

    def _follow_up(self, entry: Entry, earlier: Sequence[LogRow]) -> int:
        """Number what is written right behind an entry; give how much it is."""
        if entry.then is None:
            return 0
        return sum(isinstance(self.add(each), Appended) for each in entry.then(earlier))

    def _preclusion(self, entry: Entry) -> Precluded | None:
        """Give what stands against an entry, None when its condition holds."""
        condition = entry.condition
        for earlier in self._by_event.get(entry.event_id or "", ()):
            if condition.owner is not None and earlier.shopper_id not in (None, condition.owner):
                return Precluded(earlier.position, erased=True)
            if earlier.kind in condition.unless:
                return Precluded(earlier.position)
        if max(self._head.watermark, entry.at) >= condition.before or self._now > condition.until:
            return Precluded(self._head.position)
        if (erased := self._said(condition.shoppers, (ERASURE,), condition.unerased_since)) is not None:
            return Precluded(erased, erased=True)
        said = self._said(condition.shoppers, condition.kinds, condition.since)
        return None if said is None else Precluded(said)

    def _said(self, shoppers: Iterable[str], kinds: Sequence[str], since: int | None) -> int | None:
        """Give where the last row of these kinds stands of one of the shoppers, if after a position."""
        if since is None:
            return None
        latest = max((self._crossing.get((name, kind), 0) for name in shoppers for kind in kinds), default=0)
        return latest if latest > since else None

    def _remember(self, row: LogRow, key: str | None) -> Sequence[LogRow]:
        """Let later entries find a row; give the earlier ones of its event."""
        if key is not None:
            self._by_key[key] = row
        if row.event_id is None:
            return ()
        known = self._by_event[row.event_id]
        earlier = tuple(known)
        known.append(row)
        return earlier


def _follow(head: Head, entry: Entry) -> LogRow:
    watermark = max(head.watermark, entry.at)
    at, body = (entry.at, entry.body) if entry.dated is None else (watermark, entry.dated(watermark))
    return LogRow(
        head.position + 1,
        entry.kind,
        at,
        watermark,
        head.incarnation + (entry.kind == FENCE),
        entry.event_id,
        entry.shopper_id,
        body,
    )
