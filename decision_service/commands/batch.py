"""A batch of decisions: items of one shopper in their order, those of different shoppers side by side."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from decision_service.commands.decide import DecisionResponse
from decision_service.errors import ServiceError
from decision_service.schemas.requests import DecideBody

Item = DecideBody | ServiceError
"""A request for a decision, or why it could not be read."""

Result = DecisionResponse | ServiceError


async def decide_batch(
    items: Sequence[Item],
    decide: Callable[[DecideBody], Awaitable[DecisionResponse]],
    may_run_out: Callable[[Sequence[float]], Awaitable[bool]],
) -> list[Result]:
    """Decide items in their order; one that fails does so alone.

    Parameters
    ----------
    items
        What was read.
    decide
        Decides one request.
    may_run_out
        Returns whether decisions at these times may use up the budget of a day, so that the order of all items
        matters.
    """
    results: dict[int, Result] = {}

    async def decide_lane(numbers: Sequence[int]) -> None:
        for number in numbers:
            results[number] = await _decide_item(items[number], decide)

    await asyncio.gather(*(decide_lane(numbers) for numbers in await _lanes(items, may_run_out)))
    return [results[number] for number in range(len(items))]


async def _lanes(items: Sequence[Item], may_run_out: Callable[[Sequence[float]], Awaitable[bool]]) -> list[list[int]]:
    """Part the numbers of the items into lanes: the order of items matters only within a lane."""
    bodies = [item for item in items if isinstance(item, DecideBody)]
    times = [body.now.timestamp() if body.now else time.time() for body in bodies]
    if await may_run_out(times):
        return [list(range(len(items)))]
    lanes: dict[str, list[int]] = defaultdict(list)
    for number, item in enumerate(items):
        lanes[item.shopper_id if isinstance(item, DecideBody) else ""].append(number)
    return list(lanes.values())


async def _decide_item(item: Item, decide: Callable[[DecideBody], Awaitable[DecisionResponse]]) -> Result:
    if isinstance(item, ServiceError):
        return item
    try:
        return await decide(item)
    except ServiceError as error:
        return error
