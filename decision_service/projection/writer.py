"""The log writer: appends rows, durable and in order, and brings the state store forward behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from decision_service.errors import Unavailable, Uncertain
from decision_service.log.base import Appended, AppendResult, EventLog, LogBusy, LogUnavailable, NewRow
from decision_service.log.group_commit import GroupCommit
from decision_service.log.row_times import at_watermark
from decision_service.projection.projector import Projector
from decision_service.state.base import StateUnavailable


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
        self._head = 0
        self._forwarding: asyncio.Task[None] | None = None

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
            raise Uncertain("the log cannot be written") from error
        for new, result in zip(rows, results, strict=True):
            if isinstance(result, Appended):
                self._projector.offer(result.position, at_watermark(new.row, result.watermark))
                self._head = max(self._head, result.position + result.follow_ups)
        if self._forwarding is None or self._forwarding.done():
            self._forwarding = asyncio.create_task(self._forward())
        return results

    async def wait_until_contained(self, position: int = 0) -> None:
        """Return when the state store contains every row appended here so far, and the rows up to a position.

        A state store that is away is not waited for: it decides nothing until it contains the whole log.
        """
        try:
            await self._projector.advance(max(position, self._head))
        except StateUnavailable:
            return

    async def _forward(self) -> None:
        """Bring the state store to the head, which may move meanwhile; the recovery mends a failure."""
        reached = -1
        while reached < self._head:
            reached = self._head
            await self.wait_until_contained()

    async def close(self) -> None:
        """Write what is queued and bring the state store forward once more."""
        await self._commits.close()
        if self._forwarding is not None:
            await self._forwarding
