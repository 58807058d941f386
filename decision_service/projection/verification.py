"""Verification: compares the state store with the fold of the log, also while a service decides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from decision_service.log.base import EventLog
from decision_service.projection.expected_states import ExpectedStates, Spending, differing
from decision_service.state.base import StateStore, UnreadableState
from decision_service.state.shopper_keys import ShopperKey, ShopperKeys
from policies.rules.budget import utc_day
from policies.rules.uses import IN_PREFERENCES, Use, Uses
from policies.shopper.fold import FOLD_VERSION, horizon_of
from policies.shopper.state import HORIZON_S, NEW_SHOPPER, ShopperState

_SHOPPERS_AT_ONCE = 200
_CHECK_EVERY_S = 0.1


@dataclass(frozen=True)
class Verified:
    """The result of a comparison; state store and log are equal if there are no differences."""

    shoppers: int
    position: int
    differences: tuple[str, ...]


class Verification:
    """Compares every stored state, and what was spent, with the fold of the log.

    A service may decide meanwhile: a stored state is right if the log folds to it at some position between the store's
    positions before and after it was read. The folded states are held in memory, some kilobytes for each shopper.

    Parameters
    ----------
    log, store
        The log and the store to be compared.
    shopper_keys
        The keys that states are kept under.
    """

    def __init__(self, log: EventLog, store: StateStore, shopper_keys: ShopperKeys) -> None:
        self._log = log
        self._store = store
        self._shopper_keys = shopper_keys
        self._expected = ExpectedStates(log, shopper_keys)

    async def run(self, patience_s: float = 2.0) -> Verified:
        """Compare everything; a store that does not reach the log's head within ``patience_s`` seconds differs.

        Raises
        ------
        StateUnavailable
            When the store cannot be reached.
        LogUnavailable
            When the log cannot be read.
        """
        horizon_s = horizon_of(await self._store.stored_fold_version()) or HORIZON_S
        self._expected = ExpectedStates(self._log, self._shopper_keys, horizon_s)
        head = await asyncio.to_thread(self._log.head)
        differences = [*await self._other_fold(), *await self._behind(head.position, patience_s)]
        stored = {key async for key in self._store.shoppers()}
        await self._fold_up_to(max(head.position, await self._store.position()))
        everyone = sorted({*self._expected.states, *stored})
        for first in range(0, len(everyone), _SHOPPERS_AT_ONCE):
            differences += await self._compare(everyone[first : first + _SHOPPERS_AT_ONCE])
        since = utc_day(max(head.watermark, 0.0) - HORIZON_S)
        differences += await self._compare_spending(since)
        differences += await self._compare_uses(since)
        return Verified(len(everyone), self._expected.position, tuple(differences))

    async def _fold_up_to(self, position: int) -> None:
        await asyncio.to_thread(self._expected.fold_up_to, position)

    async def _other_fold(self) -> list[str]:
        """Return the difference that another version of the fold made the states, if it did."""
        version = await self._store.stored_fold_version()
        if horizon_of(version) or await self._store.position() == 0:
            return []
        made_by = "an earlier version" if version is None else f"version {version}"
        rebuilt = "a start of the service, or rebuild-state without --verify, rebuilds them from the log"
        return [f"{made_by} of the fold made the states, and this is version {FOLD_VERSION}: {rebuilt}"]

    async def _behind(self, head: int, patience_s: float) -> list[str]:
        """Wait until the store contains the log up to a position: a service that runs brings it there."""
        for _ in range(int(patience_s / _CHECK_EVERY_S) + 1):
            position = await self._store.position()
            if position >= head:
                return []
            await asyncio.sleep(_CHECK_EVERY_S)
        return [f"the state store contains the log up to position {position} only, not to {head}"]

    async def _compare(self, keys: Sequence[ShopperKey]) -> list[str]:
        await self._fold_up_to(await self._store.position())
        self._expected.forget()
        stored = await self._read_states(keys)
        await self._fold_up_to(await self._store.position())
        return [text for key in keys if (text := self._difference(key, stored[key])) is not None]

    async def _read_states(self, keys: Sequence[ShopperKey]) -> dict[ShopperKey, ShopperState | None]:
        """Return the stored states without pending facts, None where what is stored is no state."""
        try:
            return {**await self._store.read_folded(keys)}
        except UnreadableState:
            if len(keys) == 1:
                return {keys[0]: None}
            return {key: state for one in keys for key, state in (await self._read_states([one])).items()}

    def _difference(self, key: ShopperKey, stored: ShopperState | None) -> str | None:
        versions = self._expected.versions(key)
        if stored in versions:
            return None
        name = self._expected.name(key)
        if stored is None:
            return f"{name}: what is stored cannot be read"
        if key not in self._expected.states:
            return f"{name}: is stored, but the log knows no such shopper"
        if stored == NEW_SHOPPER:
            return f"{name}: is not stored"
        return f"{name}: {', '.join(differing(stored, versions[0]))} differ"

    async def _compare_spending(self, since: int) -> list[str]:
        await self._fold_up_to(await self._store.position())
        self._expected.forget()
        stored = _recent(await self._store.spending(), since)
        await self._fold_up_to(await self._store.position())
        if any(_recent(known, since) == stored for known in self._expected.spendings):
            return []
        days = sorted(dict(stored.items() ^ _recent(self._expected.spendings[-1], since).items()))
        return [f"what {channel} cost on {_date(day)} differs" for channel, day in days]

    async def _compare_uses(self, since: int) -> list[str]:
        await self._fold_up_to(await self._store.position())
        self._expected.forget()
        stored = _recent_uses(await self._store.uses(), since)
        await self._fold_up_to(await self._store.position())
        expected = [_recent_uses(uses, since) for uses in self._expected.uses()]
        if stored in expected:
            return []
        paths = sorted({path for (path, _), _ in stored.items() ^ expected[0].items()})
        return [f"how often {path} is used differs" for path in paths]


def _recent_uses(uses: Uses, since: int) -> dict[Use, int]:
    return {use: count for use, count in uses.items() if use[1] == IN_PREFERENCES or use[1] >= since}


def _recent(spent: Spending, since: int) -> Spending:
    return {day: cost for day, cost in spent.items() if day[1] >= since}


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
