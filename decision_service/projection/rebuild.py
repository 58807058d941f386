"""Making the state store's projection of the log anew, or verifying it, by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from decision_service.log.base import EventLog, LogUnavailable
from decision_service.log.clock import ServiceClock
from decision_service.log.group_commit import GroupCommit
from decision_service.log.sql import SqlLog
from decision_service.projection.projector import Projector
from decision_service.projection.recovery import StateRecovery
from decision_service.projection.verification import Verification
from decision_service.projection.writer import LogWriter
from decision_service.settings import Settings
from decision_service.state.base import StateStore
from decision_service.state.redis import RedisStateStore
from decision_service.state.shopper_keys import ShopperKeys

_TIMEOUT_S = 60.0
"""Redis may take so long to forget all states at once; a decision would not wait as long."""


class NoLog(LogUnavailable):
    """The database holds no log that a service was ever started on."""


@dataclass(frozen=True)
class StateRebuild:
    """A log and the state store that is to contain it.

    Services may run on both. While the states are made anew their decisions hold with ``degraded``, and the log refuses
    what was reserved before, because it is in another incarnation.
    """

    log: EventLog
    store: StateStore
    recovery: StateRecovery
    verification: Verification

    @classmethod
    @asynccontextmanager
    async def of(cls, settings: Settings) -> AsyncIterator[StateRebuild]:
        """Open the log and the state store of a service; ``redis_url`` is set.

        Raises
        ------
        NoLog
            When the log was never served.
        LogUnavailable
            When it cannot be opened.
        """
        log = SqlLog.open(settings.database_url)
        log_id, salt = log.read_fact("log_id"), log.read_fact("salt")
        if log_id is None or salt is None:
            log.close()
            raise NoLog("no service was ever started on this log")
        shopper_keys = ShopperKeys(salt.encode())
        store = RedisStateStore(settings.redis_url or "", log_id, _TIMEOUT_S)
        clock = ServiceClock(log.read_fact("clock"), log)
        projector = Projector(store, log, shopper_keys)
        log_writer = LogWriter(log, GroupCommit(log), projector)
        try:
            recovery = StateRecovery(store, log_writer, projector, clock.now)
            yield cls(log, store, recovery, Verification(log, store, shopper_keys))
        finally:
            await log_writer.close()
            await store.close()
            log.close()

    async def restore(self) -> int:
        """Forget all states and fold the log into the store again; return the position that it then contains.

        Raises
        ------
        StateUnavailable
            When the store cannot be reached.
        Unavailable
            When the log cannot be written.
        """
        await self.store.prepare()
        await self.recovery.follow_catalogue(anew=True)
        await self.store.begin(await self.store.stored_incarnation(), anew=True)
        await self.recovery.restore()
        return await self.store.position()
