"""Lists of items, each validated and stored by itself: the common part of feedback and shopper events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import msgspec
from fastapi import Request, Response

from decision_service import metrics
from decision_service.api.routing import LIST_LIMIT, json_response, read
from decision_service.commands.feedback import Status
from decision_service.errors import Invalid
from decision_service.schemas.command_answers import ItemAnswer, ItemsAnswer, ItemStatus
from decision_service.schemas.requests import Body, ItemsBody, parse, parse_item, parse_json

BodyType = TypeVar("BodyType", bound=Body)


async def read_items(request: Request, fields: Sequence[str]) -> ItemsBody:
    """Read a list of items, or a single item without the list; a single item has all of these fields."""
    raw = await read(request, LIST_LIMIT)
    document = parse_json(raw)
    if isinstance(document, dict) and "events" not in document and all(name in document for name in fields):
        now = {"now": document.pop("now")} if "now" in document else {}
        raw = msgspec.json.encode({"events": [document], **now})
    return parse(ItemsBody, raw)


async def store_items(
    kind: str,
    model: type[BodyType],
    items: Sequence[dict[str, Any]],
    store: Callable[[Sequence[BodyType]], Awaitable[list[Status]]],
) -> Response:
    """Store the items that are valid, and answer with the status of each item.

    Parameters
    ----------
    kind
        The label of the metric.
    model
        The type of an item.
    items
        As read from JSON.
    store
        Stores items, and returns the status of each item.
    """
    bodies: dict[int, BodyType] = {}
    results: dict[int, ItemAnswer] = {}
    for number, item in enumerate(items):
        try:
            bodies[number] = parse_item(model, item)
        except Invalid as error:
            results[number] = ItemAnswer.invalid(error.errors[0])
    results.update(zip(bodies, map(_answer, await store(list(bodies.values()))), strict=True))
    for result in results.values():
        metrics.ITEMS.labels(kind, result.status).inc()
    accepted = sum(result.status != "invalid" for result in results.values())
    return json_response(ItemsAnswer(accepted, [results[number] for number in range(len(items))]), 202)


def _answer(status: Status) -> ItemAnswer:
    return ItemAnswer(cast(ItemStatus, status.status)) if status.error is None else ItemAnswer.invalid(status.error)
