"""Decisions: decide, activate or cancel a send, explain."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from fastapi import Request, Response
from msgspec import UNSET

from decision_service.api.bodies import LIST_LIMIT, SINGLE_LIMIT, json_response, read_moment
from decision_service.api.components import BATCH_RESULTS, DECISION
from decision_service.api.documentation import REPLAYED, Answers, Reads, describe
from decision_service.api.hot import HotRouter
from decision_service.api.problems import problem_of
from decision_service.api.routing import EventPath, ServiceOf
from decision_service.app import Service
from decision_service.errors import DecisionConflict, Erased, Invalid, Malformed, NotFound, ServiceError, Unavailable
from decision_service.pipeline.decider import DatedBody
from decision_service.pipeline.item import Result
from decision_service.schemas.body_types import Body
from decision_service.schemas.command_answers import CancellationAnswer, PermissionAnswer
from decision_service.schemas.decision_answer import iso
from decision_service.schemas.item_lists import split_list
from decision_service.schemas.parsing import parse, parse_fast
from decision_service.schemas.reading_answers import DecisionAnswer
from decision_service.schemas.requests import BatchBody, DecideBody, MomentBody

router = HotRouter(tags=["Decisions"])

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
    "exclude": [{"channel": "email"}],
}


@router.hot_post(
    "/v1/decide",
    name="decide",
    limit=SINGLE_LIMIT,
    **describe(
        "decide",
        "Decide which notification to send, or none",
        Answers(DECISION, headers=REPLAYED),
        reads=Reads(DecideBody, _REQUEST),
        errors=(Invalid, Erased, Unavailable),
    ),
)
async def decide(service: Service, body: bytes) -> Response:
    """The decision is in the log before the answer is sent. A repeat of the `event_id` gets the same bytes again."""
    request = parse(DecideBody, body)
    response = await service.decider.decide(request, await service.now(request, required=True))
    headers = {"Idempotent-Replay": "true"} if response.replayed else None
    return Response(response.body, 200, headers, "application/json")


@router.hot_post(
    "/v1/decide/batch",
    name="decide_batch",
    limit=LIST_LIMIT,
    **describe(
        "decideBatch",
        "Decide up to 1,000 requests in order",
        Answers(BATCH_RESULTS),
        reads=Reads(BatchBody, {"decisions": [_REQUEST]}),
        errors=(Invalid, Unavailable),
    ),
)
async def decide_many(service: Service, body: bytes) -> Response:
    """Each result is the answer of a single call; where a request fails, `error` holds its problem.

    Requests about one shopper are decided in the order of the list, and each knows the decisions before it.
    """
    requests = [await _date(item, service) for item in _read_items(body)]
    results = await service.decider.decide_list(requests)
    return json_response({"results": [_result(result) for result in results]})


def _read_items(body: bytes) -> Sequence[DecideBody | ServiceError]:
    """Return the requests of a list, read at once or, where something is wrong, one by one."""
    batch = parse_fast(BatchBody, body)
    if batch is not None:
        return batch.decisions
    items = split_list(body, "decisions")
    items.read_rest(Body)
    return [_read_item(item) for item in items.items]


def _read_item(item: bytes) -> DecideBody | ServiceError:
    try:
        return parse(DecideBody, item)
    except ServiceError as error:
        return error


async def _date(item: DecideBody | ServiceError, service: Service) -> DatedBody | ServiceError:
    """Return a request with its time."""
    if isinstance(item, ServiceError):
        return item
    try:
        return item, await service.now(item, required=True)
    except ServiceError as error:
        return error


def _result(result: Result) -> object:
    return {"error": problem_of(result)} if isinstance(result, ServiceError) else msgspec.Raw(result.body)


@router.post(
    "/v1/decisions/{event_id:path}/activate",
    name="activate",
    **describe(
        "activateDecision",
        "Ask whether a send may leave now",
        Answers(PermissionAnswer, example={"deliver": True}, headers=REPLAYED),
        reads=Reads(MomentBody, {}, optional=True),
        errors=(Invalid, NotFound, DecisionConflict, Unavailable),
    ),
)
async def activate(event_id: EventPath, request: Request, service: ServiceOf) -> Response:
    """Consent, preferences, caps and quiet hours are checked at this moment; `true` is the order to send now.

    The send then counts from this moment under caps, gaps and windows, also where its send time lies ahead; the budget
    of its day was paid already. Asked again within an hour, the same `true` comes back with `Idempotent-Replay: true`,
    unless the shopper, the caller or an event speaks against the send since: then the answer is `false` with that
    reason. `too_early` means: only rules that end by themselves are against the send now. Its place stays; ask again
    at `send_at`. Every other `false` stands, and the place is released. More than an hour after the send time the
    answer is `expired`, whether the activation was deferred or not. A send that was not deferred counts as sent once
    its attribution window is over, even if the answer is no after that.
    """
    now = await service.now(await read_moment(request))
    permission = await service.activations.activate(event_id, now)
    send_at = UNSET if permission.send_at is None else iso(permission.send_at)
    body = PermissionAnswer(permission.deliver, permission.reason or UNSET, send_at)
    return json_response(body, headers={"Idempotent-Replay": "true"} if permission.replayed else None)


@router.post(
    "/v1/decisions/{event_id:path}/cancel",
    name="cancel",
    **describe(
        "cancelDecision",
        "Cancel a send that will not leave",
        Answers(CancellationAnswer, example={"event_id": "cart-88213-1", "cancelled": True}),
        reads=Reads(MomentBody, {}, optional=True),
        errors=(Invalid, NotFound, DecisionConflict, Unavailable),
    ),
)
async def cancel(event_id: EventPath, request: Request, service: ServiceOf) -> Response:
    """The place of the send under the caps is free again, and nothing is learned from the send."""
    await service.activations.cancel(event_id, await service.now(await read_moment(request)))
    return json_response(CancellationAnswer(event_id))


@router.get(
    "/v1/decisions/{event_id:path}",
    name="decision",
    **describe("getDecision", "Explain a decision", Answers(DecisionAnswer), errors=(Malformed, NotFound, Unavailable)),
)
async def explain(event_id: EventPath, service: ServiceOf) -> Response:
    """Return all that the log knows about a decision.

    The context, every excluded joint action with its reason, the distribution, the draw, the versions, the status of
    the send, outcomes, the reward, and what was learned.
    """
    return json_response(await service.inspector.explain(event_id, await service.now()))
