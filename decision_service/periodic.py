"""A task that runs again and again until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress


class PeriodicTask:
    """Calls a function, waits, and calls it again.

    A stop waits for the running call to end, and does not cancel it: libraries sometimes swallow a cancellation, and
    then the caller of ``stop`` would wait for ever.

    Parameters
    ----------
    run
        The function to call. It must handle its own errors.
    every_s
        Seconds between the end of a call and the next one.

    Examples
    --------
    >>> async def count_to_three() -> int:
    ...     calls, enough = [], asyncio.Event()
    ...     async def run() -> None:
    ...         calls.append(1)
    ...         if len(calls) == 3:
    ...             enough.set()
    ...     task = PeriodicTask(run, every_s=0.001)
    ...     task.start()
    ...     await enough.wait()
    ...     await task.stop()
    ...     return len(calls)
    >>> asyncio.run(count_to_three())
    3
    """

    def __init__(self, run: Callable[[], Awaitable[None]], every_s: float) -> None:
        self._run_once = run
        self._every_s = every_s
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Wait for the running call to end, and call no more."""
        self._stopped.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not self._stopped.is_set():
            await self._run_once()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), self._every_s)
