"""The projector: brings the state store forward along the log.

Rows are applied in position order, each exactly once, by the replica that comes first: the store accepts a batch only
at the position where the last one ended. So a replica applies the rows it has just written, and also rows that a slower
or a dead replica has left. Catching up after a restart is the same, from an earlier position.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from decision_service.log.base import EventLog
from decision_service.projection.erased_shoppers import ErasedShoppers
from decision_service.state.base import ProjectedStates
from decision_service.state.shopper_keys import ShopperKey, ShopperKeys
from decision_service.state.updates import ShopperUpdate, StateUpdate
from policies.records.row_mark import mark_of
from policies.records.rows import (
    SHOPPER_ROWS,
    CatalogueRow,
    DecisionRow,
    Row,
    ShopperRow,
)
from policies.records.withholding import withheld_paths
from policies.rules.budget import BudgetDay, fold_with_spending
from policies.rules.uses import Use, change_in_uses
from policies.shopper.fold import changes_nothing
from policies.shopper.state import ShopperState

PositionedRow = tuple[int, Row]

_BATCH = 500
_RECENT_ROWS = 4_096


class Projector:
    """Applies rows of the log to the state store.

    Parameters
    ----------
    store
        The store to be brought forward.
    log
        Where rows are read that were not offered; in a thread.
    shopper_keys
        The keys that states are kept under.
    """

    def __init__(self, store: ProjectedStates, log: EventLog, shopper_keys: ShopperKeys) -> None:
        self._store = store
        self._log = log
        self._erased_shoppers = ErasedShoppers(log, shopper_keys)
        self._recent: dict[int, Row] = {}
        self._turn = asyncio.Lock()
        self._applied = 0

    def offer(self, position: int, row: Row) -> None:
        """Hand over a row just committed, which saves reading it from the log."""
        self._recent[position] = row
        if len(self._recent) > _RECENT_ROWS:
            self._recent.pop(next(iter(self._recent)))

    def forget(self) -> None:
        """Forget how far the store is: it may have lost rows."""
        self._applied = 0

    async def advance(self, position: int) -> None:
        """Return when the store contains every row up to a position.

        Raises
        ------
        StateUnavailable
            When the store cannot be reached.
        """
        while self._applied < position:
            async with self._turn:
                if self._applied < position:
                    self._applied = await self._apply_next(self._applied)

    async def _apply_next(self, before: int) -> int:
        """Apply the batch that follows a position; return the position that the store then has."""
        rows = await self._next_rows(before)
        if rows and await self._apply(before, rows):
            return rows[-1][0]
        return await self._store.position()

    async def _next_rows(self, before: int) -> list[PositionedRow]:
        """Return the rows that follow a position: from memory as long as they were offered, else from the log."""
        rows: list[PositionedRow] = []
        while len(rows) < _BATCH and (row := self._recent.pop(before + 1 + len(rows), None)) is not None:
            rows.append((before + 1 + len(rows), row))
        if rows:
            return rows
        stored = await asyncio.to_thread(self._log.read, before, _BATCH)
        return [(row.position, row.row) for row in stored]

    async def _apply(self, before: int, rows: Sequence[PositionedRow]) -> bool:
        of_shoppers = [(position, row) for position, row in rows if isinstance(row, SHOPPER_ROWS) and row.shopper_id]
        if not self._erased_shoppers.knows(row.shopper_id or "" for _, row in of_shoppers):
            await asyncio.to_thread(self._erased_shoppers.look)
        key_of = self._erased_shoppers.key_of
        keyed = [(position, row, key_of(position, row.shopper_id or "")) for position, row in of_shoppers]
        changed = {key for _, row, key in keyed if not changes_nothing(row)}
        batch = _BatchFold(await self._store.read_folded_at(before, changed), self._store.horizon_s)
        for position, row, key in keyed:
            batch.fold(position, row, key)
        catalogues = [row.version for _, row in rows if isinstance(row, CatalogueRow)]
        catalogue = catalogues[-1] if catalogues else None
        after, last = rows[-1]
        return await self._store.apply(batch.update(before, after, catalogue, mark_of(last)))


class _BatchFold:
    """Folds a batch of rows into the states that they concern."""

    def __init__(self, stored: Mapping[ShopperKey, ShopperState], horizon_s: float) -> None:
        self._stored = stored
        self._horizon_s = horizon_s
        self._states = dict(stored)
        self._decided: dict[ShopperKey, list[str]] = defaultdict(list)
        self._withheld: dict[ShopperKey, dict[str, int]] = defaultdict(dict)
        self._spent: dict[BudgetDay, int] = defaultdict(int)
        self._uses: dict[Use, int] = defaultdict(int)

    def fold(self, position: int, row: ShopperRow, key: ShopperKey) -> None:
        if isinstance(row, DecisionRow):
            self._decided[key].append(row.event_id)
        elif paths := withheld_paths(row):
            self._withheld[key].update(dict.fromkeys(paths, position))
        if changes_nothing(row):
            return
        before = self._states[key]
        after, spending = fold_with_spending(before, row, self._horizon_s)
        self._states[key] = after
        for use, count in change_in_uses(before, after).items():
            self._uses[use] += count
        for day, cost in spending.items():
            self._spent[day] += cost

    def update(self, before: int, after: int, catalogue: int | None, mark: str) -> StateUpdate:
        """Return what the batch changes."""
        changed = {key: state for key, state in self._states.items() if state != self._stored[key]}
        shoppers = {
            key: ShopperUpdate(changed.get(key), self._decided.get(key, ()), self._withheld.get(key, {}))
            for key in {**changed, **self._decided, **self._withheld}
        }
        spent = {day: cost for day, cost in self._spent.items() if cost}
        uses = {use: count for use, count in self._uses.items() if count}
        return StateUpdate(before, after, shoppers, spent, catalogue, uses, mark)
