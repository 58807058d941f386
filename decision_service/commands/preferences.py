"""Preferences: reading them, and changing them without losing what a shopper withholds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from decision_service.catalogues.past_names import PastNames
from decision_service.commands.preference_words import (
    Words,
    find_mistakes,
    have_unknown_names,
    keep_withdrawals,
    known_words,
    merge_words,
    new_words,
)
from decision_service.commands.withdrawing_log import WithdrawingLog
from decision_service.errors import Invalid, Unavailable
from decision_service.log.base import ConditionFailed, NewRow
from decision_service.log.condition import CONSENT_KINDS, UNCONDITIONAL, AppendCondition, Query
from decision_service.projection.writer import LogWriter
from decision_service.schemas.preferences import PreferencesAnswer, preferences_of
from decision_service.schemas.preferences_change import PreferencesBody
from decision_service.state.base import StateStore, StateUnavailable
from decision_service.state.contents import StoredState
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.rulebook import Rulebook
from policies.shopper.renames import rename_path, rename_state


class Preferences:
    """Reads and changes preferences of shoppers.

    Parameters
    ----------
    store, log_writer
        The shoppers' states and the log.
    withdrawing_log
        The log of rows that withdraw consent.
    shopper_keys
        The keys that states are kept under.
    rulebook
        Returns the catalogue in force.
    """

    def __init__(
        self,
        store: StateStore,
        log_writer: LogWriter,
        withdrawing_log: WithdrawingLog,
        shopper_keys: ShopperKeys,
        rulebook: Callable[[], Rulebook],
    ) -> None:
        self._store = store
        self._log_writer = log_writer
        self._withdrawing_log = withdrawing_log
        self._shopper_keys = shopper_keys
        self._rulebook = rulebook
        self._past = PastNames(log_writer.log)

    async def read(self, shopper_id: str) -> PreferencesAnswer:
        """Return a shopper's preferences, with the catalogue's defaults where the shopper has stated none.

        Raises
        ------
        Unavailable
            When the state store is away.
        """
        return preferences_of((await self._read(shopper_id)).state, self._rulebook())

    async def change(self, shopper_id: str, body: PreferencesBody, now: float) -> PreferencesAnswer:
        """Change preferences, and return all of them.

        Raises
        ------
        Invalid
            When a channel, category or time zone does not exist. What the body withholds is withheld all the same, and
            the error lists it.
        Unavailable
            When the log is away, or the state store. What the body withholds is withheld as soon as the log has it.
        """
        while True:
            rulebook = self._rulebook()
            stored = await self._read_for(shopper_id, body, now)
            words = await self._new_words(body, rulebook, stored)
            if mistakes := find_mistakes(words, rulebook, self._past):
                raise Invalid.fields(mistakes, applied=await self.withhold(shopper_id, body, now))
            if await self._log(words, shopper_id, body, now, stored):
                return await self.read(shopper_id)

    async def withhold(self, shopper_id: str, body: PreferencesBody, now: float) -> tuple[str, ...]:
        """Change only what a refused body withholds, and return the paths.

        Where the state store is away no category is muted, because a row names all muted categories.
        """
        while True:
            rulebook = self._rulebook()
            if not any(Words.of(body, rulebook).withheld_paths()):
                return ()
            try:
                stored = await self._read_current(shopper_id)
            except Unavailable:
                stored = None
            words = known_words(await self._new_words(body, rulebook, stored), rulebook, self._past)
            muted = None if stored is None else rename_state(stored.folded, rulebook.former_names).muted_categories
            words = keep_withdrawals(words, muted)
            if await self._log(words, shopper_id, body, now, stored if words.muted else None):
                return tuple(words.withheld_paths(but_muted=muted or ()))

    async def _read_for(self, shopper_id: str, body: PreferencesBody, now: float) -> StoredState | None:
        """Return the state that decides which fields of a body are the shopper's words, None where all are."""
        if body.stated is None:
            return None
        try:
            return await self._read_current(shopper_id)
        except Unavailable:
            await self.withhold(shopper_id, body, now)
            raise

    async def _new_words(self, body: PreferencesBody, rulebook: Rulebook, stored: StoredState | None) -> Words:
        """Return the words of a body that change something, all of them where the state is not known.

        A word must be logged unless the log has it already: a pending withdrawal is not in the log.
        """
        words = Words.of(body, rulebook)
        if have_unknown_names(words, rulebook, self._past):
            await asyncio.to_thread(self._past.look)
        if stored is None or body.stated is None:
            return words
        stated = {rename_path(path, rulebook.former_names) for path in body.stated}
        states = [rename_state(state, rulebook.former_names) for state in (stored.state, stored.folded)]
        return merge_words(*(new_words(words, stated, state, rulebook, self._past) for state in states))

    async def _log(
        self, words: Words, shopper_id: str, body: PreferencesBody, now: float, rests_on: StoredState | None
    ) -> bool:
        """Log words; return False if the preferences have changed since the state was read that they rest on."""
        if not words.are_any:
            return True
        key = self._shopper_keys.key(shopper_id)
        condition = UNCONDITIONAL
        if rests_on is not None:
            condition = AppendCondition(fail_if=(Query(CONSENT_KINDS, (shopper_id, key), after=rests_on.position),))
        stated_at = now if body.at is None else min(now, body.at.timestamp())
        row = words.row(shopper_id, now, stated_at, self._rulebook().former_names)
        (result,) = await self._withdrawing_log.append_all([NewRow(row, condition=condition)], {0: key})
        if not isinstance(result, ConditionFailed):
            return True
        await self._log_writer.wait_until_contained(result.position)
        return False

    async def _read_current(self, shopper_id: str) -> StoredState:
        """Return the state with all rows that the log has by now, also rows of other replicas."""
        head = await asyncio.to_thread(self._log_writer.log.head)
        await self._log_writer.wait_until_contained(head.position)
        return await self._read(shopper_id)

    async def _read(self, shopper_id: str) -> StoredState:
        try:
            return await self._store.read(self._shopper_keys.key(shopper_id))
        except StateUnavailable as away:
            raise Unavailable(f"the shopper's state is away: {away}") from away
