"""Verification: is what the state store holds what the log comes to? Also while a service decides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from decision_service.log.base import EventLog
from decision_service.projection.expected_states import ExpectedStates, Spending, differing
from decision_service.state.redis import RedisStateStore
from decision_service.state.shopper_keys import ShopperKey, ShopperKeys
from policies.rules.budget import utc_day
from policies.shopper.state import HORIZON_S, NEW_SHOPPER, ShopperState

_AT_ONCE = 200
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Verified:
    """What a comparison came to: equal where there are no differences."""

    shoppers: int
    position: int
    differences: tuple[str, ...]


class Verification:
    """Compares the stored state of every shopper, and what was spent, with the log's fold.

    A service may decide meanwhile: a stored state is right if it is what the log came to at some position
    between the store's before and after it was read. States are held in memory, some kilobytes for each
    shopper.

    Parameters
    ----------
    log, store
        What is compared.
    shopper_keys
        Gives the keys that states are kept under.
    """

    def __init__(self, log: EventLog, store: RedisStateStore, shopper_keys: ShopperKeys) -> None:
        self._log = log
        self._store = store
        self._ledger = ExpectedStates(log, shopper_keys)

    async def run(self, patience_s: float = 2.0) -> Verified:
        """Compare everything; a store that does not come up to the log in time differs.

        Raises
        ------
        StateAway
            When the store cannot be reached.
        LogUnavailable
            When the log cannot be read.
        """
        head = await asyncio.to_thread(self._log.head)
        differences = await self._behind(head.position, patience_s)
        stored = {key async for key in self._store.shoppers()}
        await self._reach(max(head.position, await self._store.position()))
        everyone = sorted({*self._ledger.states, *stored})
        for first in range(0, len(everyone), _AT_ONCE):
            differences += await self._compare(everyone[first : first + _AT_ONCE])
        differences += await self._compare_spending(utc_day(max(head.watermark, 0.0) - HORIZON_S))
        return Verified(len(everyone), self._ledger.position, tuple(differences))

    async def _reach(self, position: int) -> None:
        await asyncio.to_thread(self._ledger.fold_up_to, position)

    async def _behind(self, head: int, patience_s: float) -> list[str]:
        """Wait until the store contains the log as it was; a service that runs brings it there."""
        for _ in range(int(patience_s / _LOOK_EVERY_S) + 1):
            position = await self._store.position()
            if position >= head:
                return []
            await asyncio.sleep(_LOOK_EVERY_S)
        return [f"the state store contains the log up to position {position} only, not to {head}"]

    async def _compare(self, keys: Sequence[ShopperKey]) -> list[str]:
        await self._reach(await self._store.position())
        self._ledger.forget()
        stored = await self._stored(keys)
        await self._reach(await self._store.position())
        return [told for key in keys if (told := self._difference(key, stored[key])) is not None]

    async def _stored(self, keys: Sequence[ShopperKey]) -> dict[ShopperKey, ShopperState | None]:
        """Read states, claims apart; None where what is stored is no state."""
        try:
            return {key: folded.state for key, folded in (await self._store.folded(keys)).items()}
        except msgspec.DecodeError:
            if len(keys) == 1:
                return {keys[0]: None}
            return {key: state for each in keys for key, state in (await self._stored([each])).items()}

    def _difference(self, key: ShopperKey, stored: ShopperState | None) -> str | None:
        versions = self._ledger.versions(key)
        if stored in versions:
            return None
        name = self._ledger.name(key)
        if stored is None:
            return f"{name}: what is stored cannot be read"
        if key not in self._ledger.states:
            return f"{name}: is stored, but the log knows no such shopper"
        if stored == NEW_SHOPPER:
            return f"{name}: is not stored"
        return f"{name}: {', '.join(differing(stored, versions[0]))} differ"

    async def _compare_spending(self, since: int) -> list[str]:
        await self._reach(await self._store.position())
        self._ledger.forget()
        stored = _recent(await self._store.spent(), since)
        await self._reach(await self._store.position())
        if any(_recent(known, since) == stored for known in self._ledger.spendings):
            return []
        days = sorted(dict(stored.items() ^ _recent(self._ledger.spendings[-1], since).items()))
        return [f"what {channel} cost on {_date(day)} differs" for channel, day in days]


def _recent(spent: Spending, since: int) -> Spending:
    return {day: cost for day, cost in spent.items() if day[1] >= since}


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
