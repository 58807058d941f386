"""Lists of items, each validated and stored by itself: the common part of feedback and shopper events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from fastapi import Response
from msgspec import UNSET

from decision_service import metrics
from decision_service.api.bodies import json_response
from decision_service.commands.item_status import ACCEPTED, Status
from decision_service.errors import FieldError, Invalid, Malformed, ServiceError
from decision_service.schemas.body_types import Body
from decision_service.schemas.command_answers import ItemAnswer, ItemsAnswer, ItemStatus
from decision_service.schemas.item_lists import ItemList, split_list

BodyType = TypeVar("BodyType", bound=Body)
Parse = Callable[[bytes], tuple[BodyType, Sequence[FieldError]]]
"""Reads an item; also returns what is wrong with the fields that were left out."""


@dataclass(frozen=True)
class ItemStore(Generic[BodyType]):
    """How the items of one kind are read and stored.

    Parameters
    ----------
    kind
        The label of the metric.
    parse
        Reads an item.
    store
        Stores items, and returns the status of each item.
    """

    kind: str
    parse: Parse[BodyType]
    store: Callable[[Sequence[BodyType]], Awaitable[list[Status]]]

    async def answer(self, items: ItemList, ignored: Sequence[FieldError] = ()) -> Response:
        """Store the items that are valid, and answer with the status of each item.

        Parameters
        ----------
        items
            The body.
        ignored
            Fields beside the items that were left out.

        Raises
        ------
        ServiceError
            When the body is an item by itself, and is invalid.
        """
        if items.is_single:
            self.parse(items.items[0])
        statuses = [status.without([*ignored, *status.ignored]) for status in await self.take(items.items)]
        if items.is_single and (error := statuses[0].error) is not None:
            raise Invalid.field(error.field, error.message)
        counts = Counter(status.status for status in statuses)
        accepted = counts.pop(ACCEPTED.status, 0)
        return json_response(ItemsAnswer(accepted, [_answer(status) for status in statuses], **counts), 202)

    async def take(self, items: Sequence[bytes]) -> list[Status]:
        """Store the items that are valid, and return the status of each item."""
        bodies: dict[int, BodyType] = {}
        left_out: dict[int, Sequence[FieldError]] = {}
        statuses: dict[int, Status] = {}
        for number, item in enumerate(items):
            try:
                bodies[number], left_out[number] = self.parse(item)
            except ServiceError as error:
                statuses[number] = Status("invalid", first_error(error))
        stored = await self.store(list(bodies.values()))
        statuses |= {number: status.without(left_out[number]) for number, status in zip(bodies, stored, strict=True)}
        for status in statuses.values():
            metrics.ITEMS.labels(self.kind, status.status).inc()
        return [statuses[number] for number in range(len(items))]


def first_error(error: ServiceError) -> FieldError:
    """Return the first field that is wrong in an item."""
    return FieldError("body", error.detail) if isinstance(error, Malformed) else error.errors[0]


def split_items(body: bytes, fields: Sequence[str]) -> ItemList:
    """Cut a body into its items; it may also be a single item without the list, which has all of these fields."""
    return split_list(body, "events", fields)


def _answer(status: Status) -> ItemAnswer:
    if status.error is not None:
        return ItemAnswer.invalid(status.error)
    return ItemAnswer(cast(ItemStatus, status.status), ignored=status.ignored or UNSET)
