"""The log of rows that withdraw consent: a withdrawal is in the state before its row is logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from decision_service.log.base import Appended, AppendResult, NewRow
from decision_service.projection.writer import LogWriter
from decision_service.state.base import StateStore, StateUnavailable
from decision_service.state.pending import Withdrawal
from decision_service.state.shopper_keys import ShopperKey
from policies.records.rows import Row
from policies.records.withholding import withheld_paths


class WithdrawingLog:
    """Appends rows to the log, and withdraws in the shoppers' states what the rows withhold."""

    def __init__(self, store: StateStore, log_writer: LogWriter) -> None:
        self._store = store
        self._log_writer = log_writer

    async def append_all(self, rows: Sequence[NewRow], shoppers: Mapping[int, ShopperKey]) -> list[AppendResult]:
        """Withdraw consent in the state, then log why, and return when the state contains the rows.

        With the state store away the rows alone withdraw consent: the condition of a decision that was made without
        these rows fails, so it is not logged as a send.

        Parameters
        ----------
        rows
            The rows to be logged.
        shoppers
            The shoppers whose rows may withhold something, by the number of the row.
        """
        withdrawals = await self._withdraw({number: (key, rows[number].row) for number, key in shoppers.items()})
        results = await self._log_writer.append_all(rows)
        repeated = [number for number in withdrawals if not isinstance(results[number], Appended)]
        await self._retract([withdrawal for number in repeated for withdrawal in withdrawals[number]])
        await self._log_writer.wait_until_contained()
        return results

    async def _withdraw(self, rows: Mapping[int, tuple[ShopperKey, Row]]) -> dict[int, list[Withdrawal]]:
        """Withdraw in the state what rows of shoppers withhold, and return the withdrawals of each such row."""
        withholding = {number: (key, row) for number, (key, row) in rows.items() if withheld_paths(row)}
        if not withholding:
            return {}
        head = await self._log_writer.find_head()
        withdrawals = {number: Withdrawal.all_of(key, row, head) for number, (key, row) in withholding.items()}
        with suppress(StateUnavailable):
            await self._store.withdraw([withdrawal for of_row in withdrawals.values() for withdrawal in of_row])
        return withdrawals

    async def _retract(self, withdrawals: Sequence[Withdrawal]) -> None:
        """Undo withdrawals that were not logged: consent may have been given again since the row that they repeat."""
        try:
            await self._store.retract(withdrawals)
        except StateUnavailable:
            return
