"""The queue: forms the batches of the items that wait.

Singles go before lists, and batches stay short while singles come, so that a long list does not make a single wait.
Lists take turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from decision_service.errors import Unavailable
from decision_service.pipeline.item import Item

_MOST_IN_BATCH = 64
"""A longer batch blocks the event loop too long, and costs no less per item."""

_SHARE_OF_LISTS = 0.25
"""The largest share of a batch that lists get while singles come: a single waits for the batch before its own."""

_SINGLES_GONE_AFTER = 4
"""After so many batches without a single, none is expected, and lists get whole batches: these cost less per item."""

_LISTS_GET_ONE_IN = 8
"""What lists get at least of a batch, however many singles wait: so every list ends."""

_MOST_WAITING = 10_000


@dataclass(eq=False)
class _List:
    """The items of one call in their order; while some of them are under way, the others wait."""

    waiting: deque[Item]
    under_way: set[Item] = field(default_factory=set)

    def take(self, most: int, begin: Callable[[Item], bool]) -> list[Item]:
        """Take the first items that wait, up to an item that must not begin yet."""
        items: list[Item] = []
        if not self.under_way:
            while self.waiting and len(items) < most and begin(self.waiting[0]):
                items.append(self.waiting.popleft())
            self.under_way.update(items)
        return items


class Queue:
    """Items that wait for a batch.

    Parameters
    ----------
    most_in_batch
        How many items a batch has at most.
    most_waiting
        How many items may wait before callers are refused.
    """

    def __init__(self, most_in_batch: int = _MOST_IN_BATCH, most_waiting: int = _MOST_WAITING) -> None:
        self._most_in_batch = most_in_batch
        self._most_waiting = most_waiting
        self._singles: deque[Item] = deque()
        self._lists: deque[_List] = deque()
        self._list_of: dict[Item, _List] = {}
        self._size = 0
        self._since_single = _SINGLES_GONE_AFTER
        """How many batches were taken since the last one with a single."""

    def __len__(self) -> int:
        return self._size

    def check_room(self, size: int) -> None:
        """Refuse a call with so many requests if there is no room for them.

        Raises
        ------
        Unavailable
            When there is no room.
        """
        if self._size + size > self._most_waiting:
            raise Unavailable("too many requests wait to be decided")

    def add(self, items: Sequence[Item]) -> None:
        """Add the items of one call."""
        self._size += len(items)
        if len(items) == 1:
            self._singles.append(items[0])
        elif items:
            self._lists.append(_List(deque(items)))

    def take(self, begin: Callable[[Item], bool]) -> list[Item]:
        """Take the items of the next batch.

        Parameters
        ----------
        begin
            Begins an item and returns True; if it returns False, the item stays in the queue, and so do all items
            behind it in its list.
        """
        most = self._most_in_batch
        batch = self._take_singles(begin, most - max(1, most // _LISTS_GET_ONE_IN) if self._lists else most)
        self._since_single = 0 if batch else self._since_single + 1
        share = 1.0 if self._since_single > _SINGLES_GONE_AFTER else _SHARE_OF_LISTS
        end = min(most, len(batch) + max(1, int(most * share)))
        for _ in range(len(self._lists)):
            if len(batch) == end:
                break
            of_call = self._lists.popleft()
            items = of_call.take(end - len(batch), begin)
            self._list_of.update(dict.fromkeys(items, of_call))
            batch += items
            if of_call.waiting:
                self._lists.append(of_call)
        batch += self._take_singles(begin, most - len(batch))  # the places that the lists have left
        self._size -= len(batch)
        return batch

    def _take_singles(self, begin: Callable[[Item], bool], most: int) -> list[Item]:
        batch: list[Item] = []
        staying: list[Item] = []
        while self._singles and len(batch) < most:
            item = self._singles.popleft()
            (batch if begin(item) else staying).append(item)
        self._singles.extendleft(reversed(staying))
        return batch

    def end(self, item: Item) -> None:
        """Let the list of an item go on once none of its items is under way."""
        if (of_call := self._list_of.pop(item, None)) is not None:
            of_call.under_way.discard(item)
