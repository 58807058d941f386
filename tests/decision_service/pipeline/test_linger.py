"""The linger: it keeps callers together who ask again at once, and delays no requests that come at random times.

The decider runs here on a clock of its own, which moves on when everybody waits. A batch takes a fixed time then.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Awaitable, Callable, Sequence
from statistics import fmean
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision_service.pipeline import decider as decider_module
from decision_service.pipeline.decider import Decider
from decision_service.pipeline.item import DecisionResponse, Item
from decision_service.pipeline.linger import LONGEST_S, Linger
from decision_service.pipeline.parts import Parts
from decision_service.schemas.parsing import parse
from decision_service.schemas.requests import DecideBody
from tests.decision_service.conftest import decide_body

_BATCH_S = 0.003
_ROUND_TRIP_S = 0.001
_SECONDS = 4.0


class _Selector(selectors.DefaultSelector):
    """Waits for nothing: the time to wait passes at once."""

    time = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.time += timeout or 0.0
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.time


class _Writer:
    head = 0


class _Parts:
    log_writer = _Writer()


class _Linger(Linger):
    """A linger that keeps its observations."""

    def __init__(self) -> None:
        super().__init__()
        self.present: list[int] = []

    def note(self, present: int) -> None:
        self.present.append(present)
        super().note(present)


class Pipeline:
    """A decider whose batches take a fixed time; it keeps the sizes of the batches and the waits of the requests.

    The callers draw their times from its random generator. Of each batch the last ``late`` items need a second round.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, late: int = 0) -> None:
        self.linger = _Linger()
        self.batches: list[int] = []
        self.waits: list[float] = []
        self.random = random.Random(1)
        self._late = late
        monkeypatch.setattr(decider_module, "Linger", lambda: self.linger)
        monkeypatch.setattr(decider_module, "RequestBatch", self._batch)
        self._decider = Decider(cast(Parts, _Parts()))
        self._body = parse(DecideBody, msgspec.json.encode(decide_body(event_id=None, now=None)))

    def _batch(self, items: Sequence[Item], parts: Parts, on_logged: Callable[[], None]) -> _Batch:
        self.batches.append(len(items))
        return _Batch(items, self._late, on_logged)

    async def ask(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(_ROUND_TRIP_S * self.random.random())
        began = loop.time()
        await self._decider.decide(self._body, 0.0)
        self.waits.append(loop.time() - began)

    async def ask_again_and_again(self) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < _SECONDS:
            await self.ask()


class _Batch:
    def __init__(self, items: Sequence[Item], late: int, on_logged: Callable[[], None]) -> None:
        self._items, self._late, self._on_logged = items, late, on_logged

    async def decide(self) -> None:
        await asyncio.sleep(_BATCH_S)
        first_late = max(0, len(self._items) - self._late)
        for item in self._items[:first_late]:
            item.settle(DecisionResponse(b""))
        self._on_logged()
        for item in self._items[first_late:]:
            await asyncio.sleep(_BATCH_S)
            item.settle(DecisionResponse(b""))


def run(scene: Callable[[], Awaitable[object]]) -> None:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(cast(Any, scene()))


def test_callers_who_ask_again_at_once_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline(monkeypatch)

    async def scene() -> None:
        await asyncio.gather(*(pipeline.ask_again_and_again() for _ in range(16)))

    run(scene)
    late = pipeline.batches[len(pipeline.batches) // 2 :]
    assert fmean(late) > 15


def test_a_lone_caller_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline(monkeypatch)
    run(pipeline.ask_again_and_again)
    assert max(pipeline.waits) == pytest.approx(_BATCH_S)


@pytest.mark.parametrize("late", [0, 5, 16])
def test_a_request_is_counted_once(monkeypatch: pytest.MonkeyPatch, late: int) -> None:
    """A request whose batch is logged without it, because it needs another round, is still in the pipeline."""
    pipeline = Pipeline(monkeypatch, late)

    async def scene() -> None:
        await asyncio.gather(*(pipeline.ask_again_and_again() for _ in range(16)))

    run(scene)
    assert 0 < max(pipeline.linger.present) <= 16


@pytest.mark.parametrize("per_s", [100, 350, 700])
def test_requests_that_come_at_random_times_are_not_delayed(monkeypatch: pytest.MonkeyPatch, per_s: int) -> None:
    """A request waits for the rest of the batch under way and for its own batch; one in fifty may wait for a linger."""
    pipeline = Pipeline(monkeypatch)

    async def scene() -> None:
        async with asyncio.TaskGroup() as group:
            while asyncio.get_running_loop().time() < _SECONDS:
                await asyncio.sleep(pipeline.random.expovariate(per_s))
                group.create_task(pipeline.ask())

    run(scene)
    prompt = [wait for wait in pipeline.waits if wait <= 2 * _BATCH_S + 1e-6]
    assert len(prompt) > 0.98 * len(pipeline.waits)
    assert max(pipeline.waits) <= 2 * _BATCH_S + LONGEST_S + 1e-6


@given(st.integers(2, 64), st.lists(st.integers(1, 64), min_size=3, max_size=20))
def test_callers_whose_number_stays_are_followed(callers: int, early_ends: list[int]) -> None:
    """Every second batch may end before all callers have asked again."""
    linger = Linger()
    for early in early_ends:
        linger.note(callers)
        linger.note(min(early, callers))
    assert linger.is_worth()


@given(st.lists(st.integers(5, 64), min_size=1, max_size=50))
def test_callers_who_come_too_late_are_not_followed(lingers: list[int]) -> None:
    """Their number stays, but lingers end without them."""
    linger = Linger()
    for late in lingers:
        linger.note(64)
        linger.note_linger(64, 64 - late)
    assert not linger.is_worth()


@given(st.integers(0, 100))
def test_a_lone_caller_tells_nothing(batches: int) -> None:
    linger = Linger()
    for _ in range(batches):
        linger.note(1)
    assert not linger.is_worth()
