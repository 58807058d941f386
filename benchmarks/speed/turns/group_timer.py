"""The CPU time of `decide_many` in process, row and answer included, for groups of requests.

``python -m benchmarks.speed.turns.group_timer ACTIONS`` measures one round for each line on its standard input. An
older checkout runs this very file against its own packages: see `other_checkout`. Therefore this file imports nothing
that an older version lacks.
"""

from __future__ import annotations

import dataclasses
import gc
import itertools
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from benchmarks.speed import busy_shop
from decision_service.schemas.decision_answer import answer
from policies import decide as front_door
from policies.decision_row import decision_row
from policies.models.learned import empty_snapshot, learned_policy

GROUPS = (1, 16, 64, 100)
_SIZES = {60: (4, 3), 240: (16, 3), 1_000: (40, 5)}
"""Joint actions → messages and channels; each has five delays."""

KNOWN_SENDS = 3
_DECISIONS = 200
"""Decisions per measurement, at least."""


class GroupTimer:
    """Times decisions about a shopper with a few known sends, in groups of requests.

    Parameters
    ----------
    actions
        The number of joint actions: 60, 240 or 1,000.
    """

    def __init__(self, actions: int) -> None:
        messages, channels = _SIZES[actions]
        self._book = busy_shop.rulebook(messages, channels)
        state = busy_shop.shopper(self._book)
        self._state = msgspec.structs.replace(state, sends=state.sends[-KNOWN_SENDS:])
        self._spent = busy_shop.surroundings(self._book).spent
        self._policy = learned_policy(empty_snapshot(self._book.catalogue.reward), self._book, 1)
        self._numbers = itertools.count()

    def measure(self) -> list[float]:
        """Return the CPU µs per decision in groups of each size."""
        return [self._time(size) for size in GROUPS]

    def _time(self, size: int) -> float:
        groups = [self.make_requests(size) for _ in range(-(-_DECISIONS // size))]
        gc.collect()
        begin = time.thread_time()
        for requests in groups:
            for decision in self.decide(requests):
                answer(decision, decision_row(decision)).encode()
        return (time.thread_time() - begin) / (len(groups) * size) * 1e6

    def make_requests(self, size: int) -> list[Any]:
        """Return so many requests, each with a new event id."""
        request = busy_shop.request()
        # A request of an older version is a dataclass.
        replace: Any = msgspec.structs.replace if isinstance(request, msgspec.Struct) else dataclasses.replace
        return [replace(request, event_id=f"e-{next(self._numbers)}") for _ in range(size)]

    def decide(self, requests: Sequence[Any]) -> Sequence[Any]:
        """Decide all requests."""
        decide_many: Callable[..., Sequence[Any]] | None = getattr(front_door, "decide_many", None)
        if decide_many is None:  # an older version decides one after the other
            return [
                front_door.decide(request, self._state, self._book, self._policy, b"seed", self._spent)
                for request in requests
            ]
        cases = [front_door.Case(request, self._state, self._spent) for request in requests]
        return decide_many(cases, self._book, self._policy, b"seed")


def main(actions: str) -> None:
    """Measure one round for each line on standard input; the first round only warms up."""
    timer = GroupTimer(int(actions))
    timer.measure()
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(timer.measure()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
