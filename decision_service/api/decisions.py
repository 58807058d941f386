"""Decisions: decide, ask the gate before a send leaves, cancel, explain."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import UNSET

from decision_service.api.components import BATCH_RESULTS, DECISION
from decision_service.api.documentation import REPLAYED, describe
from decision_service.api.problems import problem_of
from decision_service.api.routing import (
    LIST_LIMIT,
    EventPath,
    ServiceOf,
    ServiceRoute,
    json_response,
    read_body,
    read_moment,
)
from decision_service.commands.batch import Item, decide_batch
from decision_service.commands.decide import DecisionResponse
from decision_service.errors import DecisionConflict, Erased, Invalid, NotFound, ServiceError, Unavailable
from decision_service.schemas.command_answers import CancellationAnswer, PermissionAnswer
from decision_service.schemas.reading_answers import DecisionAnswer
from decision_service.schemas.requests import BatchBody, DecideBody, MomentBody, parse_item

router = APIRouter(route_class=ServiceRoute, tags=["Decisions"])

_REQUEST = {
    "event_id": "cart-88213-1",
    "shopper_id": "s-42",
    "triggers": [
        {
            "type": "cart_abandoned",
            "attributes": {"product": "Runner 3", "price": 59.9, "currency": "EUR", "category": "shoes"},
        }
    ],
    "context": {"device": "mobile", "cart_value": 59.9},
    "exclude": [{"channel": "sms"}],
}


@router.post(
    "/v1/decide",
    name="decide",
    **describe(
        "decide",
        "Decide which notification to send, or none",
        body=DecideBody,
        answer=DECISION,
        headers=REPLAYED,
        errors=(Invalid, Erased, Unavailable),
        example=_REQUEST,
    ),
)
async def decide(request: Request, service: ServiceOf) -> Response:
    """What was answered is in the log. The same `event_id` with the same body gets the same bytes again."""
    body = await read_body(request, DecideBody)
    decided = await service.decider.decide(body, await service.now(body, required=True))
    headers = {"Idempotent-Replay": "true"} if decided.replayed else None
    return Response(decided.body, 200, headers, "application/json")


@router.post(
    "/v1/decide/batch",
    name="decide_batch",
    **describe(
        "decideBatch",
        "Decide up to 1,000 requests in order",
        body=BatchBody,
        answer=BATCH_RESULTS,
        errors=(Invalid, Unavailable),
        example={"decisions": [_REQUEST]},
    ),
)
async def decide_many(request: Request, service: ServiceOf) -> Response:
    """Each result is the answer that a single call would get; a request that fails has its problem as `error`.

    Requests of one shopper see each other, in the order of the list.
    """
    batch = await read_body(request, BatchBody, LIST_LIMIT)

    async def decide_item(body: DecideBody) -> DecisionResponse:
        return await service.decider.decide(body, await service.now(body, required=True))

    items = [_read_item(item) for item in batch.decisions]
    results = await decide_batch(items, decide_item, service.decider.may_run_out)
    return json_response({"results": [_result(result) for result in results]})


def _read_item(item: dict[str, object]) -> Item:
    try:
        return parse_item(DecideBody, item)
    except ServiceError as error:
        return error


def _result(result: DecisionResponse | ServiceError) -> object:
    return {"error": problem_of(result)} if isinstance(result, ServiceError) else msgspec.Raw(result.body)


@router.post(
    "/v1/decisions/{event_id:path}/activate",
    name="activate",
    **describe(
        "activateDecision",
        "Ask once more, because the send is about to leave",
        body=MomentBody,
        body_is_optional=True,
        answer=PermissionAnswer,
        errors=(Invalid, NotFound, DecisionConflict, Unavailable),
        example={},
        answer_example={"deliver": True},
    ),
)
async def activate(event_id: EventPath, request: Request, service: ServiceOf) -> Response:
    """The first answer stands.

    Delivered after its send time, a send counts from that moment under caps, gaps, windows and the day's budget,
    which is not asked again. More than an hour after its send time the answer is `expired`, whether activation was
    deferred or not. A send that was not deferred counts as sent once its attribution window is over, also where the
    answer is no after that.
    """
    now = await service.now(await read_moment(request))
    permission = await service.deliveries.activate(event_id, now)
    return json_response(PermissionAnswer(permission.deliver, permission.reason or UNSET))


@router.post(
    "/v1/decisions/{event_id:path}/cancel",
    name="cancel",
    **describe(
        "cancelDecision",
        "Take a send back that will not leave",
        body=MomentBody,
        body_is_optional=True,
        answer=CancellationAnswer,
        errors=(Invalid, NotFound, DecisionConflict, Unavailable),
        example={},
        answer_example={"event_id": "cart-88213-1", "cancelled": True},
    ),
)
async def cancel(event_id: EventPath, request: Request, service: ServiceOf) -> Response:
    """The place of the send under the caps is free again, and nothing is learned from the send."""
    await service.deliveries.cancel(event_id, await service.now(await read_moment(request)))
    return json_response(CancellationAnswer(event_id))


@router.get(
    "/v1/decisions/{event_id:path}",
    name="decision",
    **describe("getDecision", "Explain a decision", answer=DecisionAnswer, errors=(NotFound, Unavailable)),
)
async def explain(event_id: EventPath, service: ServiceOf) -> Response:
    """Everything that the log knows of a decision.

    The context, every excluded joint action with its reason, the distribution, the draw, versions, what became of
    the send, outcomes, reward, and what was learned.
    """
    return json_response(await service.inspector.explain(event_id, await service.now(MomentBody())))
