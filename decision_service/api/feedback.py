"""Feedback: the outcomes of decisions."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response

from decision_service.api.documentation import Answers, Reads, describe
from decision_service.api.items import read_items, store_items
from decision_service.api.routing import ServiceOf, ServiceRoute
from decision_service.errors import Invalid, Unavailable
from decision_service.schemas.command_answers import ItemsAnswer
from decision_service.schemas.requests import OutcomeBody, OutcomesBody

router = APIRouter(route_class=ServiceRoute, tags=["Feedback"])


@router.post(
    "/v1/feedback",
    name="feedback",
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
async def send_feedback(request: Request, service: ServiceOf) -> Response:
    """A withdrawal of consent (`opt_out`, `complaint`) takes effect before the answer.

    The body may also be a single event without the `events` list; put `now` into it.
    """
    body = await read_items(request, ("event_id", "type"))
    now = await service.now(body)
    return await store_items("outcome", OutcomeBody, body.events, partial(service.feedback.record, now=now))
