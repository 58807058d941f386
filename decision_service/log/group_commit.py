"""Group commit: many requests share one durable transaction.

The next flush starts when the previous one ends; a fixed interval would only make a lone request wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from decision_service.log.base import Entry, EventLog, LogBusy, LogUnavailable, Result


@dataclass(frozen=True)
class _Waiting:
    entries: Sequence[Entry]
    future: asyncio.Future[list[Result]]


class GroupCommit:
    """The asyncio front of a blocking log: one writer thread, one flush at a time.

    A failed flush fails exactly those who waited for it. A waiter that is cancelled neither loses nor
    repeats its rows: they are written with their group.

    Parameters
    ----------
    log
        Where the rows go.
    most_per_flush
        Rows of one transaction; a longer list of one caller still goes in one.
    most_waiting
        Rows that may queue up before callers are refused.
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

    async def append(self, entry: Entry) -> Result:
        """Append one entry and return once it is durable."""
        (result,) = await self.append_all([entry])
        return result

    async def append_all(self, entries: Sequence[Entry]) -> list[Result]:
        """Append entries in order, in one transaction.

        Raises
        ------
        LogUnavailable
            When the log could not be written, or is closed.
        LogBusy
            When too many are waiting already.
        """
        if not entries:
            return []
        if self._closed:
            raise LogUnavailable("the log is closed")
        if self._queued + len(entries) > self._most_waiting:
            raise LogBusy(f"{self._queued} rows are waiting to be written")
        future: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(tuple(entries), future))
        self._queued += len(entries)
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush_all())
        return await future

    async def close(self) -> None:
        """Refuse new rows, write what is waiting, then stop the writer thread."""
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
        while self._queue and (not group or size + len(self._queue[0].entries) <= self._most_per_flush):
            group.append(self._queue.popleft())
            size += len(group[-1].entries)
        self._queued -= size
        return group

    async def _flush(self, group: list[_Waiting]) -> None:
        entries = [entry for waiting in group for entry in waiting.entries]
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._thread, self._log.append, entries)
        except Exception as error:  # handed to everyone who waits for this flush: none is swallowed
            for waiting in group:
                if not waiting.future.done():
                    waiting.future.set_exception(error)
            return
        rest = iter(results)
        for waiting in group:
            own = [next(rest) for _ in waiting.entries]
            if not waiting.future.done():
                waiting.future.set_result(own)
