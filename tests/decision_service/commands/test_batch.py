"""A batch: items of one shopper in order, those of different shoppers side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from decision_service.commands.batch import Item, decide_batch
from decision_service.commands.decide import DecisionResponse
from decision_service.errors import Invalid, NotFound
from decision_service.schemas.requests import DecideBody, TriggerBody

pytestmark = pytest.mark.anyio


def item(event_id: str, shopper_id: str) -> DecideBody:
    return DecideBody(event_id=event_id, shopper_id=shopper_id, triggers=[TriggerBody(type="wishlist")])


class Recorder:
    """Decides by noting who began and who ended."""

    def __init__(self, *, scarce: bool = False) -> None:
        self.events: list[str] = []
        self._scarce = scarce

    async def decide(self, body: DecideBody) -> DecisionResponse:
        self.events.append(f"begin {body.event_id}")
        await asyncio.sleep(0)
        self.events.append(f"end {body.event_id}")
        if body.event_id == "lost":
            raise NotFound("lost")
        return DecisionResponse(str(body.event_id).encode())

    async def may_run_out(self, times: Sequence[float]) -> bool:
        return self._scarce


async def test_results_stand_in_the_order_of_the_items() -> None:
    recorder, refused = Recorder(), Invalid.field("shopper_id", "is wrong")
    items: list[Item] = [item("a", "s-1"), refused, item("lost", "s-2"), item("b", "s-1")]
    results = await decide_batch(items, recorder.decide, recorder.may_run_out)
    assert results[0] == DecisionResponse(b"a")
    assert results[1] is refused
    assert isinstance(results[2], NotFound)
    assert results[3] == DecisionResponse(b"b")


async def test_one_shopper_waits_for_the_item_before() -> None:
    recorder = Recorder()
    await decide_batch([item("a", "s-1"), item("b", "s-1")], recorder.decide, recorder.may_run_out)
    assert recorder.events == ["begin a", "end a", "begin b", "end b"]


async def test_shoppers_do_not_wait_for_each_other() -> None:
    recorder = Recorder()
    await decide_batch([item("a", "s-1"), item("b", "s-2")], recorder.decide, recorder.may_run_out)
    assert recorder.events[:2] == ["begin a", "begin b"]


async def test_all_wait_where_a_budget_may_run_out() -> None:
    recorder = Recorder(scarce=True)
    await decide_batch([item("a", "s-1"), item("b", "s-2")], recorder.decide, recorder.may_run_out)
    assert recorder.events == ["begin a", "end a", "begin b", "end b"]
