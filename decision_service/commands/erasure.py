"""Erasure of a shopper: out of the state at once, out of the log's rows in the same transaction that says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from decision_service.errors import Unavailable
from decision_service.log.base import Entry, LogRow, LogUnavailable, Rewritten
from decision_service.log.row_times import row_encoder
from decision_service.projection.writer import LogWriter
from decision_service.state.base import StateStore, StateUnavailable, Withdrawal
from decision_service.state.shopper_keys import ShopperKey, ShopperKeys, pseudonym
from policies.catalogue.rulebook import Rulebook
from policies.records.erasure import anonymous, erasure
from policies.records.rows import SHOPPER_ROWS, EventRow, decode, encode


class Erasure:
    """Erases shoppers.

    What stays is the salted hash of the id, which withholds consent on every channel until preferences are
    put again, and rows under a random pseudonym. Erasing again, or a shopper never seen, is fine.

    Parameters
    ----------
    store, journal
        The shoppers' states and the log.
    names
        Gives the keys that states are kept under.
    rulebook
        Gives the catalogue in force.
    """

    def __init__(
        self, store: StateStore, journal: LogWriter, names: ShopperKeys, rulebook: Callable[[], Rulebook]
    ) -> None:
        self._store = store
        self._journal = journal
        self._names = names
        self._rulebook = rulebook

    async def erase(self, shopper_id: str, now: float) -> None:
        """Erase a shopper; the next decision knows nobody of this id, and sends nothing.

        Raises
        ------
        Unavailable
            When the log is away: nothing was erased.
        """
        key = self._names.key(shopper_id)
        withdrawals = [Withdrawal.of(key, channel) for channel in self._rulebook().catalogue.channels]
        with suppress(StateUnavailable):  # its row alone precludes a decide that is running
            await self._store.withdraw(withdrawals)
        try:
            row = await asyncio.to_thread(self._journal.log.rewrite, shopper_id, _Anonymous(key, now))
        except LogUnavailable as error:
            raise Unavailable("the log cannot be written") from error
        await self._journal.contained(row.position)


@dataclass(frozen=True)
class _Anonymous:
    """Takes a shopper out of rows."""

    key: ShopperKey
    at: float
    pseudonym: str = field(default_factory=pseudonym)

    def rewritten(self, row: LogRow) -> Rewritten:
        """Give a row without its shopper; the key of a shopper event is made of what it said."""
        known = decode(row.body)
        if not isinstance(known, SHOPPER_ROWS):
            raise TypeError(f"row {row.position} is about no shopper")
        body = encode(anonymous(known, self.pseudonym))
        return Rewritten(self.pseudonym, body, keyless=isinstance(known, EventRow))

    def last_word(self, rows: Sequence[LogRow]) -> Entry:
        """Say that the shopper was erased; found by the key, never by the id."""
        row = erasure((decode(row.body) for row in rows), self.at, self.pseudonym, self.key)
        return Entry(row.kind, row.at, encode(row), shopper_id=self.key, dated=row_encoder(row))
