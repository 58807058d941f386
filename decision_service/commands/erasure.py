"""Erasure of a shopper: from the state at once, from the log in the transaction that appends the erasure row."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from decision_service.errors import Unavailable
from decision_service.log.base import LogUnavailable, NewRow, Replacement, StoredRow
from decision_service.projection.writer import LogWriter
from decision_service.state.base import StateStore, StateUnavailable
from decision_service.state.pending import Withdrawal
from decision_service.state.shopper_keys import ShopperKey, ShopperKeys, pseudonym
from policies.records.erasure import anonymous, erasure
from policies.records.rows import SHOPPER_ROWS, EventRow
from policies.records.withholding import EVERY_CHANNEL


class Erasure:
    """Erases shoppers.

    Two things stay: the salted hash of the id, which withholds consent for each channel until preferences grant that
    channel, and the rows, under a random pseudonym. A shopper may be erased again, or without ever having been seen.

    Parameters
    ----------
    store, log_writer
        The shoppers' states and the log.
    shopper_keys
        The keys that states are kept under.
    """

    def __init__(self, store: StateStore, log_writer: LogWriter, shopper_keys: ShopperKeys) -> None:
        self._store = store
        self._log_writer = log_writer
        self._shopper_keys = shopper_keys

    async def erase(self, shopper_id: str, now: float) -> None:
        """Erase a shopper; the next decision finds an empty state, and sends nothing.

        Raises
        ------
        Unavailable
            When the log is away: nothing was erased.
        """
        key = self._shopper_keys.key(shopper_id)
        head = await self._log_writer.find_head()
        with suppress(StateUnavailable):  # the erasure row alone stops a decision that is under way
            await self._store.withdraw([Withdrawal.of(key, EVERY_CHANNEL, head)])
        try:
            row = await asyncio.to_thread(self._log_writer.log.rewrite, shopper_id, AnonymousRows(key, now))
        except LogUnavailable as error:
            raise Unavailable("the log cannot be written") from error
        await self._log_writer.wait_until_contained(row.position)


@dataclass(frozen=True)
class AnonymousRows:
    """Puts a pseudonym in place of a shopper."""

    key: ShopperKey
    at: float
    pseudonym: str = field(default_factory=pseudonym)

    def rewrite(self, row: StoredRow) -> Replacement:
        """Return a row without its shopper; the key of a shopper event, which contains what it says, is dropped."""
        if not isinstance(row.row, SHOPPER_ROWS):
            raise TypeError(f"row {row.position} is about no shopper")
        return Replacement(anonymous(row.row, self.pseudonym), keeps_key=not isinstance(row.row, EventRow))

    def final_row(self, rows: Sequence[StoredRow]) -> NewRow:
        """Return the row that says that the shopper was erased."""
        return NewRow(erasure((row.row for row in rows), self.at, self.pseudonym, self.key))
