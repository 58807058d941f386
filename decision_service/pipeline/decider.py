"""The door of the pipeline: requests come in, batches begin, results go out.

The work belongs to the pipeline and not to the caller: if a caller hangs up, the decision is logged all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from decision_service.errors import ServiceError, Unavailable
from decision_service.pipeline.batch import RequestBatch, service_error
from decision_service.pipeline.item import Call, DecisionResponse, Item, Result
from decision_service.pipeline.linger import LONGEST_S, Linger
from decision_service.pipeline.parts import Parts
from decision_service.pipeline.queue import Queue
from decision_service.schemas.requests import DecideBody

DatedBody = tuple[DecideBody, float]
"""The body of a request, and the request's time."""

_OVERLAP_FROM = 32
"""If at least so many items wait, a second batch begins while the log still writes the first one."""


class Decider:
    """Decides: the only writer of decision rows.

    One batch is under way, and the requests that arrive meanwhile form the next batch. A lone caller does not wait,
    except once, for at most the length of a linger, after many callers have left.

    Parameters
    ----------
    parts
        What every batch is decided with.
    queue
        Where requests wait, and where batches are formed.
    """

    def __init__(self, parts: Parts, queue: Queue | None = None) -> None:
        self._parts = parts
        self._queue = Queue() if queue is None else queue
        self._unanswered: dict[str, Item] = {}
        """Event id → the last item with it that is not settled; a repeat of its request joins it."""
        self._under_way: dict[str, Item] = {}
        """Event id → the item with it whose batch has begun."""
        self._batches: set[asyncio.Task[None]] = set()
        self._unlogged = 0
        """How many batches have begun whose rows are not in the log yet."""
        self._present = 0
        """How many items have arrived and are not settled."""
        self._expected = 0
        """How many items the next batch will have when the callers of the last one have asked again."""
        self._linger = Linger()
        self._is_lingering = False
        self._end_of_linger: asyncio.TimerHandle | None = None
        """What will end the linger under way, once somebody waits."""
        self._is_closed = False

    async def decide(self, body: DecideBody, now: float) -> DecisionResponse:
        """Answer a request; the log contains the decision before it is answered.

        Raises
        ------
        Invalid
            When the trigger is unknown, or the event id was used with another body.
        Erased
            When the event id was used by a shopper who was erased.
        Unavailable
            When the log cannot be written, a critical trigger finds the state store away, or too many requests wait.
        """
        result = (await self.decide_list([(body, now)])).pop()
        if isinstance(result, DecisionResponse):
            return result
        try:
            raise result
        finally:
            del result  # a frame that keeps the error that it raises is a cycle

    async def decide_list(self, requests: Sequence[DatedBody | ServiceError]) -> list[Result]:
        """Answer requests as if each came after the answer to the one before. A request that fails does so alone.

        An error among the requests is returned in its place among the results.

        Raises
        ------
        Unavailable
            When too many requests wait.
        """
        if self._is_closed:
            raise Unavailable("the service stops")
        self._queue.check_room(len(requests))
        call, items = Call(len(requests)), list[Item]()
        for number, request in enumerate(requests):
            if isinstance(request, ServiceError):
                call.give(number, request)
                continue
            try:
                item = self._join(call, number, *request)
            except Exception as error:
                call.give(number, service_error(error))
                continue
            if item is not None:
                items.append(item)
        self._queue.add(items)
        self._present += len(items)
        if len(self._queue) >= self._expected:
            self._stop_lingering()
        self._bound_linger()
        self._begin_batches()
        await call.done
        return call.results

    def _join(self, call: Call, number: int, body: DecideBody, now: float) -> Item | None:
        """Let a call wait for a request; return the new item of the request, None for a repeat of an unanswered one."""
        item = Item(body, now, seen=self._parts.log_writer.head, on_end=self._end)
        if item.event_id is not None:
            last = self._unanswered.get(item.event_id)
            if last is not None and last.fingerprint == item.fingerprint:
                last.join(call, number)
                return None
            item.has_rival = last is not None
            self._unanswered[item.event_id] = item
        item.join(call, number)
        return item

    def _begin(self, item: Item) -> bool:
        """Begin an item, unless another item with its event id is under way; return whether the item has begun."""
        return item.event_id is None or self._under_way.setdefault(item.event_id, item) is item

    def _end(self, item: Item) -> None:
        """Let the items go on that had to wait for an item that is settled now."""
        self._present -= 1
        self._queue.end(item)
        if item.event_id is not None:
            for items in (self._unanswered, self._under_way):
                if items.get(item.event_id) is item:
                    del items[item.event_id]

    def _begin_batches(self) -> None:
        """Begin a batch if no other batch waits for the log; begin a second one if many items wait."""
        if self._is_lingering:
            return
        while not self._unlogged or (self._unlogged == 1 and len(self._queue) >= _OVERLAP_FROM):
            items = self._queue.take(self._begin)
            if not items:
                return
            self._unlogged += 1
            batch = asyncio.create_task(self._decide_batch(items))
            self._batches.add(batch)
            batch.add_done_callback(self._batches.discard)

    async def _decide_batch(self, items: Sequence[Item]) -> None:
        is_logged = False

        def on_logged() -> None:
            nonlocal is_logged
            if not is_logged:
                is_logged = True
                self._unlogged -= 1
                self._go_on(sum(item.result is not None for item in items))

        try:
            await RequestBatch(items, self._parts, on_logged).decide()
        except Exception as error:
            for item in items:
                if item.result is None:
                    item.settle(service_error(error, item))
        finally:
            on_logged()
            self._begin_batches()

    def _go_on(self, answered: int) -> None:
        """Begin the next batch: at once, or after a linger that ends when as many wait again as were answered.

        Items of a batch that need another round are still present, and their callers do not ask again yet.
        """
        self._linger.note(self._present + answered)
        self._expected = min(answered + len(self._queue), _OVERLAP_FROM)
        if len(self._queue) < self._expected > 1 and self._linger.is_worth():
            self._is_lingering = True
            self._bound_linger()
        else:
            self._stop_lingering()
            self._begin_batches()

    def _bound_linger(self) -> None:
        """Bound the time of a linger from the moment on when somebody waits."""
        if self._is_lingering and self._queue and self._end_of_linger is None:
            self._end_of_linger = asyncio.get_running_loop().call_later(LONGEST_S, self._end_lingering)

    def _end_lingering(self) -> None:
        """Begin the next batch with the items that wait."""
        self._linger.note_linger(self._expected, len(self._queue))
        self._stop_lingering()
        self._begin_batches()

    def _stop_lingering(self) -> None:
        self._is_lingering = False
        if self._end_of_linger is not None:
            self._end_of_linger.cancel()
            self._end_of_linger = None

    async def close(self) -> None:
        """Refuse new requests, and decide those that wait."""
        self._is_closed = True
        while self._queue or self._batches:
            self._stop_lingering()
            self._begin_batches()
            await asyncio.wait(self._batches)
