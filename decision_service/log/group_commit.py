"""Group commit: many requests share one durable transaction.

The next flush starts when the previous one ends. A fixed interval would only make a lone request wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from decision_service.log.base import AppendResult, EventLog, LogBusy, LogUnavailable, NewRow


@dataclass(frozen=True)
class _Waiting:
    rows: Sequence[NewRow]
    future: asyncio.Future[list[AppendResult]]


class GroupCommit:
    """The asyncio front of a blocking log: one writer thread, one flush at a time.

    A failed flush fails exactly the callers that waited for it. The rows of a caller that is cancelled are written
    with their group, once.

    Parameters
    ----------
    log
        Where the rows go.
    most_per_flush
        Rows of one transaction at most; a longer list of one caller still goes in one transaction.
    most_waiting
        Rows that may wait before callers are refused.
    """

    def __init__(self, log: EventLog, *, most_per_flush: int = 512, most_waiting: int = 20_000) -> None:
        self._log = log
        self._most_per_flush = most_per_flush
        self._most_waiting = most_waiting
        self._queue: deque[_Waiting] = deque()
        self._queued = 0
        self._flusher: asyncio.Task[None] | None = None
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-writer")

    async def append(self, rows: Sequence[NewRow]) -> list[AppendResult]:
        """Append rows in order, in one transaction.

        Raises
        ------
        LogUnavailable
            When the log could not be written, or is closed.
        LogBusy
            When too many rows are waiting already.
        """
        if not rows:
            return []
        if self._closed:
            raise LogUnavailable("the log is closed")
        if self._queued + len(rows) > self._most_waiting:
            raise LogBusy(f"{self._queued} rows are waiting to be written")
        future: asyncio.Future[list[AppendResult]] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(tuple(rows), future))
        self._queued += len(rows)
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush_all())
        return await future

    async def close(self) -> None:
        """Refuse new rows, write the waiting ones, then stop the writer thread."""
        self._closed = True
        if self._flusher is not None:
            await asyncio.wait([self._flusher])  # unlike await: cancelling close does not cancel the flusher
        self._thread.shutdown()

    async def _flush_all(self) -> None:
        while self._queue:
            await self._flush(self._take())

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._queue and (not group or size + len(self._queue[0].rows) <= self._most_per_flush):
            group.append(self._queue.popleft())
            size += len(group[-1].rows)
        self._queued -= size
        return group

    async def _flush(self, group: list[_Waiting]) -> None:
        rows = [row for waiting in group for row in waiting.rows]
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._thread, self._log.append, rows)
        except Exception as error:  # every caller that waits for this flush raises it
            for waiting in group:
                if not waiting.future.done():
                    waiting.future.set_exception(error)
            return
        remaining = iter(results)
        for waiting in group:
            of_caller = [next(remaining) for _ in waiting.rows]
            if not waiting.future.done():
                waiting.future.set_result(of_caller)
