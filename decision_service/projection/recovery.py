"""The keeper: sees to it that the state store is trusted only while it contains the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from decision_service.errors import Unavailable
from decision_service.log.base import LogUnavailable
from decision_service.log.keys import fence_key
from decision_service.periodic import PeriodicTask
from decision_service.projection.projector import Projector
from decision_service.projection.writer import Draft, LogWriter
from decision_service.state.base import RESERVED_FOR_S, StateUnavailable
from decision_service.state.redis import RedisStateStore
from policies.records.rows import FenceRow
from policies.rules.budget import utc_day

_LOOK_EVERY_S = 0.5
_TIDY_EVERY = 20
"""Looks between one tidying up and the next."""

_BUDGET_DAYS = 366
"""Days whose spending is kept: far more than any send concerns, lest a row of a distant date drops today's."""

_STALE_CLAIM_S = 2 * RESERVED_FOR_S
"""The writer of a claim as old as this can no longer settle it."""

_logger = logging.getLogger(__name__)


class StateRecovery:
    """Brings the state store up at start and after every loss, and tidies what dead writers left.

    A store that lost nothing only has to catch up. Otherwise a new incarnation begins: a fence row in the
    log makes it refuse every reservation of the old one, then the rows that the store lacks are applied,
    then it is trusted again. Two keepers that do this at once help each other.
    """

    def __init__(
        self, store: RedisStateStore, journal: LogWriter, projector: Projector, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._journal = journal
        self._projector = projector
        self._clock = clock
        self._pulse = PeriodicTask(self._watch, _LOOK_EVERY_S)
        self._beats = 0

    def start(self) -> None:
        """Watch the store from now on."""
        self._pulse.start()

    async def stop(self) -> None:
        """Watch no longer."""
        await self._pulse.stop()

    async def is_whole(self) -> bool:
        """Ask the store whether it is still the one that was brought up to the log."""
        incarnation = self._store.incarnation
        try:
            return incarnation is not None and await self._store.is_current(incarnation)
        except StateUnavailable:
            return False

    async def restore(self) -> None:
        """Make the store contain the log, and trust it.

        Raises
        ------
        StateUnavailable
            When the store cannot be reached.
        Unavailable
            When the log cannot be written.
        """
        await self._store.prepare()
        while not await self._restored():
            pass

    async def _restored(self) -> bool:
        """Trust a store that is whole, or make it so; False when another keeper came in between: look again."""
        log, store = self._journal.log, self._store
        self._projector.forget()  # whoever came in between may have begun from nothing
        seen = await store.stored_incarnation()
        head = await asyncio.to_thread(log.head)
        if head.incarnation and await store.is_current(head.incarnation):
            await self._projector.advance(head.position)
            await store.trust(head.incarnation)
            self._journal.incarnation = head.incarnation
            return True
        begun = await store.begin(seen)
        if begun is None:
            return False
        await self._journal.append(Draft(FenceRow(at=self._clock()), fence_key(begun)))
        (fence,) = await asyncio.to_thread(log.find_all, [fence_key(begun)])
        await self._projector.advance(max(fence.position, head.position))
        if not await store.complete(begun, fence.incarnation):
            return False
        self._journal.incarnation = fence.incarnation
        _logger.info("the state store contains the log up to position %s", fence.position)
        return True

    async def _watch(self) -> None:
        try:
            await self._look()
        except (StateUnavailable, Unavailable, LogUnavailable) as error:
            _logger.warning("the state store is away: %s", error.__cause__ or error)
        self._beats += 1

    async def _look(self) -> None:
        if not await self.is_whole():
            self._store.distrust()
            await self.restore()
            return
        head = await asyncio.to_thread(self._journal.log.head)
        if head.incarnation != self._store.incarnation:
            self._store.distrust()
            return
        await self._projector.advance(head.position)
        if self._beats % _TIDY_EVERY == 0:
            await self._store.drop_stale_claims(_STALE_CLAIM_S)
            await self._store.drop_budget_days(utc_day(max(head.watermark, 0.0)) - _BUDGET_DAYS)
