"""An item: one request on its way through the pipeline; and the call that waits for its result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from decision_service import metrics
from decision_service.errors import ServiceError
from decision_service.pipeline.draft import Draft
from decision_service.pipeline.request_reader import fingerprint
from decision_service.schemas.requests import DecideBody
from decision_service.service_log import REQUEST_ID
from policies.records.request import Request


class DecisionResponse(msgspec.Struct, frozen=True):
    """The bytes of an answer, and whether an earlier request got them."""

    body: bytes
    replayed: bool = False


Result = DecisionResponse | ServiceError
"""The answer to a request, or why there is none."""


class Call:
    """What one caller waits for: a result for each of its requests.

    Parameters
    ----------
    size
        The number of requests.
    """

    __slots__ = ("_left", "_results", "done")

    def __init__(self, size: int) -> None:
        self._results: list[Result | None] = [None] * size
        self._left = size
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with the last result; a caller that hangs up cancels this future and nothing else."""
        if not size:
            self.done.set_result(None)

    def give(self, number: int, result: Result) -> None:
        """Put the result of one request in its place."""
        self._results[number] = result
        self._left -= 1
        if self._left == 0 and not self.done.done():
            self.done.set_result(None)

    @property
    def is_list(self) -> bool:
        """Whether the caller asked several requests, whose order matters."""
        return len(self._results) > 1

    @property
    def results(self) -> list[Result]:
        """The results in the order of the requests, once ``done`` has ended."""
        return [result for result in self._results if result is not None]


@dataclass(eq=False, slots=True)
class Item:
    """One request on its way through the pipeline.

    Parameters
    ----------
    body, now
        The request, and its time.
    seen
        The log's position that this process knew of when the request arrived.
    on_end
        Called with the item when the item is settled.
    has_rival
        Whether another request with this event id, and another body, was under way when this one arrived.
    request
        The request with the defaults of the catalogue that its batch is decided with.
    draft
        The draft that waits for a second look; None before the draw, and where the item is drawn anew.
    is_lost
        Whether the reservation was refused for good: the drawn send is not delivered.
    request_id
        The id that the service log knows the request by.
    """

    body: DecideBody
    now: float
    seen: int
    on_end: Callable[[Item], None]
    has_rival: bool = False
    request: Request = field(init=False)
    draft: Draft | None = None
    is_lost: bool = False
    request_id: str = field(default_factory=REQUEST_ID.get)
    result: Result | None = None
    _waiters: list[tuple[Call, int]] = field(default_factory=list)
    _fingerprint: str | None = None

    @property
    def is_dry_run(self) -> bool:
        return self.body.dry_run

    @property
    def fingerprint(self) -> str:
        """The hash by which a repeat of the request is known; empty for a dry run.

        It is computed when it is asked for: a list of 1,000 requests would hold up the event loop for 10 ms at once.
        """
        if self._fingerprint is None:
            self._fingerprint = "" if self.is_dry_run else fingerprint(self.body)
        return self._fingerprint

    @property
    def event_id(self) -> str | None:
        """The event id that the caller named; a dry run takes none."""
        return None if self.body.dry_run else self.body.event_id

    @property
    def is_of_list(self) -> bool:
        """Whether the item came in a list."""
        call, _ = self._waiters[0]
        return call.is_list

    def join(self, call: Call, number: int) -> None:
        """Let a call wait for this item, whose result becomes the call's result with this number."""
        self._waiters.append((call, number))

    def keep(self, draft: Draft, *, is_lost: bool = False) -> None:
        """Keep the draft for a second look."""
        self.draft, self.is_lost = draft, is_lost

    def forget(self) -> None:
        """Forget the draft, because it rests on a send that was not reserved or logged: the item is drawn anew."""
        self.draft, self.is_lost = None, False

    def settle(self, result: Result) -> None:
        """End the item with a result: the first caller gets the result, and all other callers get it as a repeat."""
        self.result = result
        self.on_end(self)
        (call, number), *repeats = self._waiters
        call.give(number, result)
        for call, number in repeats:
            if isinstance(result, DecisionResponse):
                metrics.REPLAYS.inc()
                call.give(number, DecisionResponse(result.body, replayed=True))
            else:
                call.give(number, result)
