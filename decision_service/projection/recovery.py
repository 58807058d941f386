"""Recovery: the state store is trusted only while it contains the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from decision_service.errors import Unavailable
from decision_service.log.base import Head, LogUnavailable, NewRow
from decision_service.log.keys import fence_key
from decision_service.periodic import PeriodicTask
from decision_service.projection.catalogue_reach import CatalogueReach
from decision_service.projection.projector import Projector
from decision_service.projection.same_log import find_contradiction
from decision_service.projection.writer import LogWriter
from decision_service.state.base import RecoverableStates, StateUnavailable, UnreadableState
from decision_service.state.pending import RESERVED_FOR_S
from policies.records.rows import FenceRow
from policies.rules.budget import utc_day
from policies.shopper.fold import horizon_of

_CHECK_EVERY_S = 0.5
_TIDY_EVERY = 20
"""Checks between one tidying up and the next."""

_BUDGET_DAYS = 366
"""Days whose spending is kept: so many that a row of a distant date drops no current day."""

_PENDING_TOO_LONG_S = 2 * RESERVED_FOR_S
"""Nobody writes the row of a pending fact as old as this."""

_logger = logging.getLogger(__name__)


class StateRecovery:
    """Brings the state store up at start and after every loss, and drops what dead writers left pending.

    A store that lost nothing only has to catch up. Otherwise a new incarnation begins: a fence row makes the log refuse
    every reservation of the old incarnation, then the rows that the store lacks are applied, then the store is trusted
    again. Two replicas that do this at the same time help each other.

    A store that was loaded from a snapshot lacks the rows after it, and what was pending in it is dropped. One that
    contains rows of another log, or a state that cannot be read, is emptied first.
    """

    def __init__(
        self, store: RecoverableStates, log_writer: LogWriter, projector: Projector, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._log_writer = log_writer
        self._projector = projector
        self._clock = clock
        self._reach = CatalogueReach(log_writer.log)
        self._task = PeriodicTask(self._watch, _CHECK_EVERY_S)
        self._turn = asyncio.Lock()
        self._checks = 0

    def start(self) -> None:
        """Watch the store from now on."""
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def is_whole(self) -> bool:
        """Return whether the store is the one that was brought up to the log, and has lost nothing since."""
        incarnation = self._store.incarnation
        try:
            return incarnation is not None and await self._store.is_current(incarnation)
        except StateUnavailable:
            return False

    async def restore(self) -> None:
        """Bring the store up to the log, and trust it.

        Raises
        ------
        StateUnavailable
            When the store cannot be reached.
        Unavailable
            When the log cannot be written.
        """
        await self._store.prepare()
        while not await self._try_to_restore():
            pass

    async def _try_to_restore(self) -> bool:
        """Trust a store that is whole, or bring it up; return False if another replica came in between."""
        log, store = self._log_writer.log, self._store
        await self.follow_catalogue()
        self._projector.forget()  # the other replica may have begun with an empty store
        seen, contained = await store.stored_incarnation(), await store.contained_log()
        contradiction = await asyncio.to_thread(find_contradiction, contained, log)
        head = await self._find_head()
        if head.incarnation and not contradiction and await store.is_current(head.incarnation):
            if not await self._advance(head.position):
                return False
            await store.trust(head.incarnation)
            self._log_writer.incarnation = head.incarnation
            return True
        if contradiction:
            _logger.warning("the state store contains %s: the states are made anew from the log", contradiction)
        begun = await store.begin(seen, anew=contradiction is not None)
        if begun is None:
            return False
        await self._log_writer.append(NewRow(FenceRow(at=self._clock()), fence_key(begun)))
        (fence,) = await asyncio.to_thread(log.find_by_key, [fence_key(begun)])
        if not await self._advance(max(fence.position, head.position)):
            return False
        if not await store.complete(begun, fence.incarnation):
            return False
        self._log_writer.incarnation = fence.incarnation
        _logger.info(
            "the state store contained the log up to position %s, and now up to %s",
            0 if contradiction else contained.position,
            fence.position,
        )
        return True

    async def _advance(self, position: int) -> bool:
        """Bring the store to a position; if a state there cannot be read, forget all states and return False."""
        try:
            await self._projector.advance(position)
        except UnreadableState as error:
            _logger.warning("a state in the store cannot be read, so all are made anew from the log: %s", error)
            self._store.distrust()
            await self._store.begin(await self._store.stored_incarnation(), anew=True)
            return False
        return True

    async def _find_head(self) -> Head:
        """Return the end of the log, and let the log writer know of it: other processes write rows too."""
        head = await asyncio.to_thread(self._log_writer.log.head)
        self._log_writer.know(head.position)
        return head

    async def follow_catalogue(self, *, anew: bool = False) -> None:
        """Let the states keep sends as long as the catalogue in force can reach.

        States that reach further already stay as they are, unless they are made ``anew``.
        """
        needed_s = await asyncio.to_thread(self._reach.horizon_s)
        stored_s = 0.0 if anew else horizon_of(await self._store.stored_fold_version())
        self._store.keep_sends_for(max(needed_s, stored_s))

    async def check(self) -> None:
        """Bring the store up at once, if a catalogue came into force that reaches further than the states.

        Raises
        ------
        StateUnavailable
            When the store cannot be reached.
        Unavailable, LogUnavailable
            When the log cannot be written or read.
        """
        async with self._turn:
            await self._check()

    async def _watch(self) -> None:
        try:
            await self.check()
        except (StateUnavailable, Unavailable, LogUnavailable) as error:
            _logger.warning("the state store is away: %s", error.__cause__ or error)
        self._checks += 1

    async def _check(self) -> None:
        """Restore a store that lost something; otherwise bring it to the head of the log, and sometimes tidy up."""
        await self.follow_catalogue()
        if not await self.is_whole():
            self._store.distrust()
            await self.restore()
            return
        head = await self._find_head()
        if head.incarnation != self._store.incarnation:
            self._store.distrust()
            return
        if not await self._advance(head.position):
            return
        if self._checks % _TIDY_EVERY == 0:
            await self._store.drop_pending(_PENDING_TOO_LONG_S)
            await self._store.drop_budget_days(utc_day(max(head.watermark, 0.0)) - _BUDGET_DAYS)
