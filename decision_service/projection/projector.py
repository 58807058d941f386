"""The projector: brings the state store forward along the log.

Rows are applied in position order, each exactly once, by whoever comes first: the store accepts a batch
only where the last one ended. So a replica applies what it has just written, and also what a replica that
died, or another one that is slower, has left. Catching up after a restart is the same act from further
back.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from decision_service.log.base import EventLog
from decision_service.projection.erased_shoppers import ErasedShoppers
from decision_service.state.base import Folded, Projection, StateStore, Step
from decision_service.state.shopper_keys import ShopperKey, ShopperKeys
from policies.records.rows import (
    SHOPPER_ROWS,
    CatalogueRow,
    DecisionRow,
    Row,
    ShopperRow,
    decode,
)
from policies.rules.budget import BudgetDay, spending_of
from policies.sends import withdraws
from policies.shopper.fold import fold
from policies.shopper.state import NEW_SHOPPER, ShopperState

Positioned = tuple[int, Row]

_BATCH = 500
_KEPT = 4_096


class Projector:
    """Applies rows of the log to the state store.

    Parameters
    ----------
    store
        What is brought forward.
    log
        Where rows are read that are not at hand; in a thread.
    names
        Gives the keys that states are kept under.
    """

    def __init__(self, store: StateStore, log: EventLog, names: ShopperKeys) -> None:
        self._store = store
        self._log = log
        self._owners = ErasedShoppers(log, names)
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
        found = await asyncio.to_thread(self._log.read, before, _BATCH)
        return [(row.position, decode(row.body)) for row in found]

    async def _apply(self, before: int, rows: Sequence[Positioned]) -> bool:
        told = [(position, row) for position, row in rows if isinstance(row, SHOPPER_ROWS) and row.shopper_id]
        if not self._owners.knows(row.shopper_id or "" for _, row in told):
            await asyncio.to_thread(self._owners.look)
        concerned = [(row, self._owners.of(position, row.shopper_id or "")) for position, row in told]
        work = _Work(await self._store.folded({key for _, key in concerned}))
        for row, key in concerned:
            work.fold(row, key)
        catalogues = [row.version for _, row in rows if isinstance(row, CatalogueRow)]
        return await self._store.apply(work.step(before, rows[-1][0], catalogues[-1] if catalogues else None))


class _Work:
    """What a batch of rows makes of the states it concerns, row by row."""

    def __init__(self, stored: Mapping[ShopperKey, Folded]) -> None:
        self._stored = stored
        self._states: dict[ShopperKey, ShopperState] = {key: folded.state for key, folded in stored.items()}
        self._settled: dict[ShopperKey, set[str]] = defaultdict(set)
        self._spent: Counter[BudgetDay] = Counter()

    def fold(self, row: ShopperRow, key: ShopperKey) -> None:
        before = self._states[key]
        self._states[key] = fold(before, row)
        self._spent.update(spending_of(row, before))
        claims = self._stored[key].claims.items()
        self._settled[key].update(name for name, value in claims if settles(row, name, value))

    def step(self, before: int, after: int, catalogue: int | None) -> Step:
        """Give what is to be written: only what changed."""
        shoppers = {
            key: Projection(None if state == NEW_SHOPPER else state, tuple(sorted(self._settled[key])))
            for key, state in self._states.items()
            if self._settled[key] or state != self._stored[key].state
        }
        spent = {day: cost for day, cost in self._spent.items() if cost}
        return Step(before, after, shoppers, spent, catalogue)


def settles(row: ShopperRow, claim: str, value: bytes) -> bool:
    """Return whether a row says what a claim said ahead of it, so that the claim has nothing to add.

    A place ``p:<event id>/<unique>`` is settled by the decision, a withdrawal ``w:<unique>`` by any row that
    withdraws its channel; an erasure withdraws all.
    """
    if claim.startswith("p:"):
        return isinstance(row, DecisionRow) and claim[2:].rpartition("/")[0] == row.event_id
    return withdraws(row, value.decode())
