"""Shoppers: their events, preferences and data, and the decisions about them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from starlette.responses import StreamingResponse

from decision_service.api.bodies import LIST_LIMIT, json_response, read_raw
from decision_service.api.documentation import Answers, Reads, describe
from decision_service.api.hot import HotRouter
from decision_service.api.routes.items import ItemStore, split_items
from decision_service.api.routing import (
    ServiceOf,
    ShopperPath,
    refuse_repeated_query_parameters,
)
from decision_service.app import Service
from decision_service.errors import Invalid, Malformed, Unavailable
from decision_service.queries.timeline import TimelineQuery
from decision_service.schemas.command_answers import ItemsAnswer
from decision_service.schemas.parsing import parse
from decision_service.schemas.preferences import PreferencesAnswer
from decision_service.schemas.preferences_change import PreferencesBody, read_withdrawals
from decision_service.schemas.reading_answers import ShopperAnswer, TimelineAnswer
from decision_service.schemas.requests import MomentBody, ShopperEventBody, ShopperEventsBody

router = HotRouter(tags=["Shoppers"])


@router.hot_post(
    "/v1/events",
    name="events",
    limit=LIST_LIMIT,
    **describe(
        "sendShopperEvents",
        "Send events of shoppers, up to 1,000",
        Answers(
            ItemsAnswer,
            example={"accepted": 2, "results": [{"status": "accepted"}, {"status": "accepted"}]},
            status=202,
        ),
        reads=Reads(
            ShopperEventsBody,
            {
                "events": [
                    {"shopper_id": "s-42", "type": "product_view", "attributes": {"category": "shoes"}},
                    {"id": "order-1001", "shopper_id": "s-42", "type": "purchase", "attributes": {"value": 59.9}},
                ]
            },
        ),
        errors=(Invalid, Unavailable),
    ),
)
async def send_events(service: Service, body: bytes) -> Response:
    """The next decision about the shopper knows the event.

    The body may also be a single event without the `events` list; put `now` into it.
    """
    items = split_items(body, ("shopper_id", "type"))
    now = await service.now(items.read_rest(MomentBody))
    return await ItemStore("event", _parse_event, partial(service.shopper_events.record, now=now)).answer(items)


def _parse_event(raw: bytes) -> tuple[ShopperEventBody, tuple[()]]:
    return parse(ShopperEventBody, raw), ()


@router.get(
    "/v1/shoppers/{shopper_id:path}/preferences",
    name="preferences",
    **describe(
        "getPreferences",
        "Return the preferences of a shopper",
        Answers(PreferencesAnswer),
        errors=(Malformed, Invalid, Unavailable),
    ),
)
async def get_preferences(shopper_id: ShopperPath, service: ServiceOf) -> Response:
    """A preference that the shopper has not set has the catalogue's default. `stated` lists those that are set.

    The answer can be put again, and that changes nothing.
    """
    return json_response(await service.preferences.read(shopper_id))


@router.put(
    "/v1/shoppers/{shopper_id:path}/preferences",
    name="put_preferences",
    **describe(
        "putPreferences",
        "Change the preferences of a shopper",
        Answers(PreferencesAnswer),
        reads=Reads(
            PreferencesBody,
            {
                "consent": {"email": False},
                "quiet_hours": {"from": "22:00", "to": "07:00"},
                "time_zone": "Europe/Madrid",
                "locale": "es",
            },
        ),
        errors=(Invalid, Unavailable),
    ),
)
async def put_preferences(shopper_id: ShopperPath, request: Request, service: ServiceOf) -> Response:
    """An absent field or channel keeps its value; null goes back to the catalogue's default.

    Without `stated` every field is the shopper's own word. With `stated`, which the answer of GET has, a field is one
    if it is listed or differs from what is in force: so the document of GET can be changed and put again.

    `at` is the date of the words. What withholds (`false`, a muted category) acts at once, whatever its date. What
    grants (`true`, null, a category that is muted no longer) acts only where its date is later than that of the
    withdrawal that it would undo.

    A refused change still takes what it withholds: the problem lists it under `applied`. The answer has all
    preferences.
    """
    raw = await read_raw(request)
    try:
        body = parse(PreferencesBody, raw)
        now = await service.now(body)
    except (Invalid, Malformed) as refusal:
        withheld = read_withdrawals(raw)
        refusal.applied = await service.preferences.withhold(shopper_id, withheld, await service.now())
        raise
    return json_response(await service.preferences.change(shopper_id, body, now))


@router.get(
    "/v1/shoppers/{shopper_id:path}/timeline",
    name="timeline",
    dependencies=[Depends(refuse_repeated_query_parameters)],
    **describe(
        "getTimeline",
        "Return every decision about a shopper with its reason, the latest first",
        Answers(TimelineAnswer),
        errors=(Malformed, Invalid, Unavailable),
    ),
)
async def get_timeline(
    shopper_id: ShopperPath, query: Annotated[TimelineQuery, Query()], service: ServiceOf
) -> Response:
    """Each decision has its reason, the status of its send, and its outcomes.

    To get the next page, ask with `before` = `next_before`, until `next_before` is null. An unknown shopper has no
    decisions.
    """
    return json_response(await service.timeline.of(shopper_id, query, await service.now()))


@router.get(
    "/v1/shoppers/{shopper_id:shopper_id}",
    name="shopper",
    **describe(
        "exportShopper",
        "Export all that is stored about a shopper",
        Answers(ShopperAnswer),
        errors=(Malformed, Invalid, Unavailable),
    ),
)
async def export_shopper(shopper_id: ShopperPath, service: ServiceOf) -> Response:
    """The preferences, the state that decisions use, the features computed from the state, and all rows of the log.

    The rows are those about the shopper, as they are stored, the latest first. An outcome that was logged before its
    decision comes directly after (below) its decision.
    """
    parts = await service.export.of(shopper_id, service.rulebook, await service.now())
    return StreamingResponse(parts, media_type="application/json")


@router.delete(
    "/v1/shoppers/{shopper_id:shopper_id}",
    name="erase",
    **describe(
        "eraseShopper",
        "Erase a shopper",
        Answers(status=204, media_type=None),
        errors=(Malformed, Invalid, Unavailable),
    ),
)
async def erase_shopper(shopper_id: ShopperPath, service: ServiceOf) -> Response:
    """The state is deleted at once; the rows of the log get a pseudonym and lose attributes and content.

    Nothing is sent to the shopper until new preferences give consent for a channel again.
    """
    await service.erasure.erase(shopper_id, await service.now())
    return Response(status_code=204)
