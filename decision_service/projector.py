"""The projector: brings the state store forward along the log.

Rows are applied in position order, each exactly once, by whoever comes first: the store accepts a batch
only where the last one ended. So a replica applies what it has just written, and also what a replica that
died, or another one that is slower, has left. Catching up after a restart is the same act from further
back.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence

from decision_service.state.base import Folded, Projection, StateStore
from policies.rows import (
    WITHDRAWALS,
    DecisionRow,
    EventRow,
    OutcomeRow,
    PreferencesRow,
    Row,
    ShopperRow,
    decode,
)
from policies.shopper import ShopperState
from policies.shopper_fold import fold

Positioned = tuple[int, Row]
Reader = Callable[[int, int], Sequence[tuple[int, bytes]]]
"""Reads (position, body) of rows after a position, at most so many."""

_BATCH = 500
_KEPT = 4_096


class Projector:
    """Applies rows of the log to the state store.

    Parameters
    ----------
    store
        What is brought forward.
    read
        Reads rows of the log; called in a thread.
    """

    def __init__(self, store: StateStore, read: Reader) -> None:
        self._store = store
        self._read = read
        self._recent: dict[int, Row] = {}
        self._turn = asyncio.Lock()
        self._applied = 0

    def offer(self, position: int, row: Row) -> None:
        """Hand over a row just committed, which saves reading it again."""
        self._recent[position] = row
        if len(self._recent) > _KEPT:
            self._recent.pop(next(iter(self._recent)))

    def forget(self) -> None:
        """Believe nothing about how far the store is: it may have lost rows."""
        self._applied = 0

    async def advance(self, position: int) -> None:
        """Return when the store contains every row up to a position.

        Raises
        ------
        StateAway
            When the store cannot be reached.
        """
        while self._applied < position:
            async with self._turn:
                if self._applied < position:
                    self._applied = await self._step(self._applied)

    async def _step(self, before: int) -> int:
        rows = await self._rows(before)
        if rows and await self._apply(before, rows):
            return rows[-1][0]
        return await self._store.position()

    async def _rows(self, before: int) -> list[Positioned]:
        """Take the rows that follow from memory while they are at hand, else from the log."""
        rows: list[Positioned] = []
        while len(rows) < _BATCH and (row := self._recent.pop(before + 1 + len(rows), None)) is not None:
            rows.append((before + 1 + len(rows), row))
        if rows:
            return rows
        found = await asyncio.to_thread(self._read, before, _BATCH)
        return [(position, decode(body)) for position, body in found]

    async def _apply(self, before: int, rows: Sequence[Positioned]) -> bool:
        concerned: dict[str, list[ShopperRow]] = defaultdict(list)
        for _, row in rows:
            if isinstance(row, DecisionRow | OutcomeRow | EventRow | PreferencesRow) and row.shopper_id:
                concerned[row.shopper_id].append(row)
        stored = await self._store.folded(concerned)
        projections = {}
        for shopper_id, own in concerned.items():
            projection = _project(stored[shopper_id], own)
            if projection is not None:
                projections[shopper_id] = projection
        return await self._store.apply(before, rows[-1][0], projections)


def _project(stored: Folded, rows: Sequence[ShopperRow]) -> Projection | None:
    """Fold rows into a shopper's state; None when nothing changes."""
    state: ShopperState = stored.state
    for row in rows:
        state = fold(state, row)
    claims = stored.claims.items()
    settled = tuple(name for name, value in claims if any(settles(row, name, value) for row in rows))
    return Projection(state, settled) if settled or state != stored.state else None


def settles(row: ShopperRow, claim: str, value: bytes) -> bool:
    """Tell whether a row says what a claim said ahead of it, so that the claim has nothing to add.

    A place ``p:<event id>/<unique>`` is settled by the decision, a withdrawal ``w:<unique>`` by any row that
    withdraws its channel.
    """
    if claim.startswith("p:"):
        return isinstance(row, DecisionRow) and claim[2:].rpartition("/")[0] == row.event_id
    channel = value.decode()
    if isinstance(row, OutcomeRow):
        return row.type in WITHDRAWALS and row.channel == channel
    return isinstance(row, PreferencesRow) and row.consent.get(channel) is False
