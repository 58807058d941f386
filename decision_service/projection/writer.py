"""The log writer: appends rows, durable and in order, and brings the state store forward behind them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from math import inf

from decision_service.errors import Unavailable, Uncertain
from decision_service.log.base import Appended, AppendResult, ConditionFailed, EventLog, LogBusy, LogUnavailable, NewRow
from decision_service.log.group_commit import GroupCommit
from decision_service.log.row_times import at_watermark
from decision_service.projection.projector import Projector
from decision_service.state.base import StateUnavailable, UnreadableState

_PROVEN_FOR_S = 1.0
_FORWARD_AFTER_S = 0.02
"""The state store is brought forward so long after a row, unless somebody waits for it: so rows that come close
together are folded together, after the answer of a lone request. The store counts the sends already, by their
reservations."""
_logger = logging.getLogger(__name__)


class LogWriter:
    """Appends rows through the group commit and hands them to the projector.

    Parameters
    ----------
    log, commits
        The log, and its asyncio front.
    projector
        Brings the state store forward.
    """

    def __init__(self, log: EventLog, commits: GroupCommit, projector: Projector) -> None:
        self.log = log
        self.incarnation: int | None = None
        """The incarnation of the log that the state store was last brought up in."""
        self._commits = commits
        self._projector = projector
        self.head = 0
        """The last position of the log that this process knows of."""
        self._forwarding: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._probe = asyncio.Lock()
        self._written_at = -inf
        """When something was last written; -inf since a row could not be."""

    def know(self, position: int) -> None:
        """Know that the log has a row at a position."""
        self.head = max(self.head, position)

    async def find_head(self) -> int:
        """Return the last position of the log; if the log cannot be read, the last one that this process knows of."""
        with suppress(LogUnavailable):
            self.know((await asyncio.to_thread(self.log.head)).position)
        return self.head

    async def append(self, row: NewRow) -> AppendResult:
        """Append one row and return once it is durable; the state store follows by itself."""
        (result,) = await self.append_all([row])
        return result

    async def append_all(self, rows: Sequence[NewRow]) -> list[AppendResult]:
        """Append rows in order, in one transaction.

        Raises
        ------
        Unavailable
            When the log takes no more rows: none of these is in it.
        Uncertain
            When the log cannot be written: either none of the rows is in it, or all are.
        """
        try:
            results = await self._commits.append(rows)
        except LogBusy as error:
            raise Unavailable("too many rows wait to be written") from error
        except LogUnavailable as error:
            self._written_at = -inf
            raise Uncertain("the log cannot be written") from error
        if any(isinstance(result, Appended) for result in results):
            self._written_at = time.monotonic()
        for new, result in zip(rows, results, strict=True):
            if isinstance(result, Appended):
                self._projector.offer(result.position, at_watermark(new.row, result.watermark))
                self.know(result.position + result.follow_ups)
            elif isinstance(result, ConditionFailed):
                self.know(result.position)
        if self._forwarding is None or self._forwarding.done():
            self._forwarding = asyncio.create_task(self._forward())
        return results

    async def is_writable(self) -> bool:
        """Return whether a row can be written: one was a moment ago, or a trial succeeds."""
        async with self._probe:  # one trial at a time: it may wait for the write lock of the log
            if time.monotonic() - self._written_at > _PROVEN_FOR_S:
                try:
                    await asyncio.to_thread(self.log.try_to_write)
                except LogUnavailable as error:
                    _logger.warning("the log cannot be written: %s", error)
                    return False
                self._written_at = time.monotonic()
            return True

    async def wait_until_contained(self, position: int = 0) -> None:
        """Return when the state store contains every row appended here so far, and the rows up to a position.

        A state store that is away is not waited for: it decides nothing until it contains the whole log.
        """
        self.know(position)
        try:
            await self._projector.advance(self.head)
        except StateUnavailable:
            return

    async def _forward(self) -> None:
        """Bring the state store to the head, which may move meanwhile; the recovery mends a failure."""
        reached = -1
        while reached < self.head:
            await self._rest()
            reached = self.head
            try:
                await self.wait_until_contained()
            except (LogUnavailable, UnreadableState) as error:
                _logger.warning("the state store does not follow the log: %s", error)
                return

    async def _rest(self) -> None:
        """Return when some rows have come together, or at once when the writer closes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FORWARD_AFTER_S):
                await self._closing.wait()

    async def close(self) -> None:
        """Write what is queued and bring the state store forward once more."""
        await self._commits.close()
        self._closing.set()
        if self._forwarding is not None:
            await self._forwarding
