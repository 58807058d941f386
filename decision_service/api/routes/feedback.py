"""Feedback: the outcomes of decisions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from fastapi import Response

from decision_service.api.bodies import LIST_LIMIT
from decision_service.api.documentation import Answers, Reads, describe
from decision_service.api.hot import HotRouter
from decision_service.api.routes.items import ItemStore, split_items
from decision_service.app import Service
from decision_service.errors import FieldError, Invalid, Malformed, Unavailable
from decision_service.schemas.command_answers import ItemsAnswer
from decision_service.schemas.item_lists import ItemList
from decision_service.schemas.requests import MomentBody, OutcomeBody, OutcomesBody
from decision_service.schemas.withdrawals import is_withdrawal, parse_outcome

router = HotRouter(tags=["Feedback"])


@router.hot_post(
    "/v1/feedback",
    name="feedback",
    limit=LIST_LIMIT,
    **describe(
        "sendFeedback",
        "Send outcomes of decisions, up to 1,000",
        Answers(
            ItemsAnswer,
            example={"accepted": 2, "results": [{"status": "accepted"}, {"status": "accepted"}]},
            status=202,
        ),
        reads=Reads(
            OutcomesBody,
            {
                "events": [
                    {"event_id": "cart-88213-1", "feedback_id": "f-1", "type": "click"},
                    {"event_id": "cart-88213-1", "feedback_id": "f-2", "type": "conversion", "value": 59.9},
                ]
            },
        ),
        errors=(Invalid, Unavailable),
    ),
)
async def send_feedback(service: Service, body: bytes) -> Response:
    """A withdrawal of consent (`opt_out`, `complaint`) takes effect before the answer.

    The body may also be a single event without the `events` list; put `now` into it. A withdrawal with a readable
    `event_id` is always taken: what else of it cannot be read is left out and named in `ignored`. If the list as a
    whole is refused, its withdrawals are taken all the same, and the problem names them in `applied`.
    """
    items = split_items(body, ("event_id", "type"))
    try:
        now = await service.now(items.read_rest(MomentBody))
    except (Invalid, Malformed) as error:
        return await _take_withdrawals(items, service, error)
    return await _store(service, now).answer(items)


def _store(service: Service, now: float) -> ItemStore[OutcomeBody]:
    return ItemStore("outcome", parse_outcome, partial(service.feedback.record, now=now))


async def _take_withdrawals(items: ItemList, service: Service, error: Invalid | Malformed) -> Response:
    """Take the withdrawals of a body that is refused for the fields beside them; a single one is accepted."""
    withdrawals = {number: item for number, item in enumerate(items.items) if is_withdrawal(item)}
    if not withdrawals:
        raise error
    store = _store(service, await service.now())
    errors = _errors_beside(items, error)
    if items.is_single:
        return await store.answer(items, errors)
    statuses = await store.take(list(withdrawals.values()))
    taken = (number for number, status in zip(withdrawals, statuses, strict=True) if status.error is None)
    raise Invalid.fields(errors, [f"events.{number}" for number in taken])


def _errors_beside(items: ItemList, error: Invalid | Malformed) -> Sequence[FieldError]:
    """Return what is wrong beside the items; beside a single item there is only ``now``."""
    if isinstance(error, Invalid):
        return error.errors
    return [*items.errors, FieldError("now" if items.is_single else "body", error.detail)]
