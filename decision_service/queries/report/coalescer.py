"""Coalescing: calls that arrive while a round trip is under way share the next one.

The first call leaves at once, so a lone request does not wait; under load a trip carries many calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Call = TypeVar("Call")
Answer = TypeVar("Answer")


class Coalescer(Generic[Call, Answer]):
    """Gathers single calls into trips, one trip under way at a time.

    Parameters
    ----------
    trip
        Carries several calls and returns their answers in the same order; an exception fails all of them.
    most
        Calls in one trip at most.
    """

    def __init__(self, trip: Callable[[Sequence[Call]], Awaitable[Sequence[Answer]]], most: int = 256) -> None:
        self._trip = trip
        self._most = most
        self._waiting: list[tuple[Call, asyncio.Future[Answer]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def __call__(self, call: Call) -> Answer:
        """Make one call; it shares its trip with all calls that are waiting."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                answers = await self._trip([call for call, _ in batch])
            except Exception as error:  # every caller of this trip raises it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
