"""The pulse: does something again and again until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress


class PeriodicTask:
    """Calls a function, waits, and calls it again.

    A stop lets the call under way come to its end instead of cancelling it: libraries sometimes swallow a
    cancellation, and then the one who cancelled would wait for ever.

    Parameters
    ----------
    beat
        What is called; it handles its own errors.
    every_s
        Seconds between the end of a call and the next one.

    Examples
    --------
    >>> async def count_to_three() -> int:
    ...     beats, enough = [], asyncio.Event()
    ...     async def beat() -> None:
    ...         beats.append(1)
    ...         if len(beats) == 3:
    ...             enough.set()
    ...     pulse = PeriodicTask(beat, every_s=0.001)
    ...     pulse.start()
    ...     await enough.wait()
    ...     await pulse.stop()
    ...     return len(beats)
    >>> asyncio.run(count_to_three())
    3
    """

    def __init__(self, beat: Callable[[], Awaitable[None]], every_s: float) -> None:
        self._beat = beat
        self._every_s = every_s
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Let the call under way end, and make no other."""
        self._stopped.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not self._stopped.is_set():
            await self._beat()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), self._every_s)
