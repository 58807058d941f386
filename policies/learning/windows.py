"""The attribution windows that are open, and the deferred sends that wait for their activation."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

import msgspec

from policies.records.rows import DecisionRow, Row
from policies.sends.departure import departure_of, departure_time
from policies.sends.stages import status_at
from policies.sends.status import EXPIRED

Owner = Callable[[int, str], str]
"""Returns to whom a row at a position belongs, from the shopper id in the row."""

NOT_SENT_KEPT_S = 90 * 86_400.0
"""How long after its window a decision that was not sent is remembered, so that late outcomes teach nothing of it.

A deferred one may be activated as long. A clock that is ahead by more than this lets them be forgotten early.
"""


def shopper_of_row(position: int, shopper_id: str) -> str:
    """Return the row's own shopper id: an `Owner` for logs that no erasure rewrites while they are read."""
    return shopper_id


class OpenWindow(msgspec.Struct, frozen=True, array_like=True):
    """A delivered send whose attribution window is open; windows are ordered by end and position.

    Parameters
    ----------
    position
        The position of the decision in the log.
    deferred
        Whether the send waits for its activation; before that the end of its window closes nothing.
    left_at
        When the gate let the send leave, if it did.
    occurred_at, ends_on
        When the trigger of the send occurred, and the types of shopper events that end this trigger.
    """

    window_ends_at: float
    position: int
    event_id: str
    shopper_id: str
    channel: str
    send_at: float
    deferred: bool = False
    left_at: float | None = None
    occurred_at: float | None = None
    ends_on: tuple[str, ...] = ()

    @classmethod
    def of(cls, position: int, row: DecisionRow) -> OpenWindow | None:
        """Return the window that a decision opens, None when nothing is sent."""
        if row.window_ends_at is None or row.send_at is None or row.channel is None:
            return None
        return cls(
            window_ends_at=row.window_ends_at,
            position=position,
            event_id=row.event_id,
            shopper_id=row.shopper_id,
            channel=row.channel,
            send_at=row.send_at,
            deferred=row.deferred,
            occurred_at=row.occurred_at,
            ends_on=row.ends_on,
        )

    def activate(self, row: Row) -> OpenWindow:
        """Return the window after the gate has let its send leave by a row; the window keeps its end."""
        send_at = departure_time(self.send_at, row)
        return msgspec.structs.replace(self, deferred=False, send_at=send_at, left_at=departure_of(row))


class OpenWindows:
    """Holds windows by event id, by shopper, and in the order of their ends.

    Parameters
    ----------
    owner
        Brings the sends of one shopper together, also across an erasure that renames the shopper.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._running: dict[str, OpenWindow] = {}
        self._waiting: dict[str, OpenWindow] = {}
        self._ends: list[tuple[float, int, str]] = []
        self._by_owner: dict[str, set[str]] = {}

    @property
    def running(self) -> int:
        """How many windows close when time passes."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many deferred sends wait for their activation."""
        return len(self._waiting)

    def in_order(self) -> list[OpenWindow]:
        """Return all windows in an order that does not depend on how they came about."""
        windows = (*self._running.values(), *self._waiting.values())
        return sorted(windows, key=lambda window: (window.window_ends_at, window.position))

    def never_activated(self, watermark: float) -> list[OpenWindow]:
        """Return the deferred sends that have waited too long for their activation."""
        expired = (window for window in self._waiting.values() if status_at(window, watermark) is EXPIRED)
        return sorted(expired, key=lambda window: (window.send_at, window.position))

    def find(self, event_id: str) -> OpenWindow | None:
        """Return the window of a decision, None when it has none (any more)."""
        return self._running.get(event_id) or self._waiting.get(event_id)

    def event_ids_of(self, owner: str) -> set[str]:
        """Return the event ids of a shopper's windows."""
        return self._by_owner.get(owner, set())

    def add(self, window: OpenWindow) -> None:
        """Add a window."""
        self._by_owner.setdefault(self._owner(window.position, window.shopper_id), set()).add(window.event_id)
        if window.deferred:
            self._waiting[window.event_id] = window
        else:
            self._running[window.event_id] = window
            heapq.heappush(self._ends, (window.window_ends_at, window.position, window.event_id))

    def remove(self, event_id: str) -> OpenWindow:
        """Remove the window of a decision and return it."""
        window = self._running.pop(event_id, None) or self._waiting.pop(event_id)
        owner = self._owner(window.position, window.shopper_id)
        self._by_owner[owner].discard(event_id)
        if not self._by_owner[owner]:
            del self._by_owner[owner]
        return window

    def replace(self, window: OpenWindow) -> None:
        """Put a window in the place of the one of the same decision."""
        self.remove(window.event_id)
        self.add(window)

    def ending_by(self, watermark: float) -> Iterator[str]:
        """Yield the event ids of the windows that have ended at a watermark, and perhaps a few more."""
        unseen = [0]
        while unseen:  # in a heap no entry is smaller than its parent
            number = unseen.pop()
            if number < len(self._ends) and self._ends[number][0] <= watermark:
                yield self._ends[number][2]
                unseen += (2 * number + 1, 2 * number + 2)

    def remove_ended(self, watermark: float) -> list[OpenWindow]:
        """Remove the windows that have ended and return them, in the order of their ends and positions."""
        ended = []
        while self._ends and self._ends[0][0] <= watermark:
            ends_at, _, event_id = heapq.heappop(self._ends)
            window = self._running.get(event_id)
            if window is not None and window.window_ends_at == ends_at:
                ended.append(self.remove(event_id))
        return ended

    def drop_never_activated(self, watermark: float) -> None:
        """Forget the deferred sends that nobody has activated for `NOT_SENT_KEPT_S` after their window."""
        for window in list(self._waiting.values()):
            if window.window_ends_at + NOT_SENT_KEPT_S <= watermark:
                self.remove(window.event_id)
