"""The routes of the HTTP API: read a body, call the part that knows, write the answer. No logic."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.routing import Match, Route

from decision_service import metrics
from decision_service.api.documentation import documented, route_docs
from decision_service.app import Service
from decision_service.commands.decide import DecisionResponse
from decision_service.commands.feedback import Status, invalid
from decision_service.learning.registry.base import RegistryUnavailable
from decision_service.log.base import LogUnavailable
from decision_service.queries.report.reporter import ReportQuery
from decision_service.queries.timeline import TimelineQuery
from decision_service.schemas.decision_answer import iso
from decision_service.schemas.problems import BadRequest, NotFound, Problem, TooLarge, Unavailable
from decision_service.schemas.requests import (
    BatchBody,
    Body,
    ClockBody,
    DecideBody,
    ListBody,
    MomentBody,
    OutcomeBody,
    PreferencesBody,
    ShopperBody,
    ShopperEventBody,
    parse,
    parse_item,
    parse_json,
    parse_query,
)

SINGLE_LIMIT = 1 << 20
LIST_LIMIT = 8 << 20
NO_BODY = MomentBody()
_JSON, _PROBLEM = "application/json", "application/problem+json"

_logger = logging.getLogger(__name__)

BodyType = TypeVar("BodyType", bound=Body)


def build_api(service: Service, *, multiprocess_dir: str | None = None) -> FastAPI:
    """Make the ASGI application of one replica; its lifespan starts and stops the service."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(title="Notification decision service", version="1", lifespan=lifespan)
    endpoints = _Endpoints(service, multiprocess_dir)
    for route in route_docs():
        endpoint = getattr(endpoints, route.name)
        app.add_api_route(
            route.path,
            _answering(endpoint, route.name),
            methods=[route.method],
            name=route.name,
            summary=route.summary,
            status_code=route.status,
            openapi_extra=documented(route),
            response_class=Response,
        )
    app.add_exception_handler(HTTPException, _http_error)
    return app


def _answering(
    endpoint: Callable[[Request], Awaitable[Response]], name: str
) -> Callable[[Request], Awaitable[Response]]:
    """Turn problems into problem documents, and measure."""
    seconds = metrics.SECONDS.labels(name)

    async def answer(request: Request) -> Response:
        began = time.perf_counter()
        try:
            return await endpoint(request)
        except Problem as problem:
            return _problem(problem)
        except (LogUnavailable, RegistryUnavailable) as error:
            _logger.warning("%s: %s", name, error)
            return _problem(Unavailable("the log or the registry cannot be read"))
        except Exception:
            _logger.exception("%s failed", name)
            return _problem(Problem("an error of the service itself; its log says more"))
        finally:
            seconds.observe(time.perf_counter() - began)

    return answer


def _problem(problem: Problem) -> Response:
    metrics.PROBLEMS.labels(str(int(problem.status))).inc()
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    return Response(problem.body(), int(problem.status), headers, _PROBLEM)


async def _http_error(request: Request, error: Exception) -> Response:
    """Write the framework's own errors (no such path, wrong method) as problem documents."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    document = {
        "type": "about:blank",
        "title": str(getattr(error, "detail", "Internal Server Error")),
        "status": status,
        "detail": f"{request.method} {request.url.path}",
        "errors": [],
    }
    headers = {"Allow": ", ".join(_methods(request))} if status == HTTPStatus.METHOD_NOT_ALLOWED else None
    return Response(msgspec.json.encode(document), status, headers, _PROBLEM)


def _methods(request: Request) -> list[str]:
    """Name the methods of a path, over all routes that share it."""
    routes = (each for each in request.app.routes if isinstance(each, Route))
    known = (each.methods or () for each in routes if each.matches(request.scope)[0] is not Match.NONE)
    return sorted(set().union(*known))


async def _read(request: Request, limit: int) -> bytes:
    """Read a body; of one that is too large the rest is read and dropped, so that the answer is seen."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
    if size > limit:
        raise TooLarge(f"the body has {size} bytes; at most {limit} are read")
    return b"".join(chunks)


def _json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, _JSON)


class _Endpoints:
    """One method per route, of the route's name."""

    def __init__(self, service: Service, multiprocess_dir: str | None) -> None:
        self._service = service
        self._multiprocess_dir = multiprocess_dir

    async def decide(self, request: Request) -> Response:
        body = parse(DecideBody, await _read(request, SINGLE_LIMIT))
        answered = await self._decide(body)
        headers = {"Idempotent-Replay": "true"} if answered.replayed else None
        return Response(answered.body, 200, headers, _JSON)

    async def _decide(self, body: DecideBody) -> DecisionResponse:
        return await self._service.decider.decide(body, await self._service.now(body, required=True))

    async def decide_batch(self, request: Request) -> Response:
        batch = parse(BatchBody, await _read(request, LIST_LIMIT))
        items = [_parsed(item) for item in batch.decisions]
        results: list[msgspec.Raw] = [msgspec.Raw(b"null")] * len(items)

        async def lane(numbers: Sequence[int]) -> None:
            for number in numbers:
                results[number] = await self._item(items[number])

        await asyncio.gather(*(lane(numbers) for numbers in await self._lanes(items)))
        return _json({"results": results})

    async def _lanes(self, items: Sequence[DecideBody | Problem]) -> list[list[int]]:
        """Part items into lanes that go on side by side: their order can only matter within a lane.

        Items of one shopper see each other. All do where a day's budget may run out on the way.
        """
        bodies = [item for item in items if isinstance(item, DecideBody)]
        times = [body.now.timestamp() if body.now else time.time() for body in bodies]
        if await self._service.decider.may_run_out(times):
            return [list(range(len(items)))]
        lanes: dict[str, list[int]] = defaultdict(list)
        for number, item in enumerate(items):
            lanes[item.shopper_id if isinstance(item, DecideBody) else ""].append(number)
        return list(lanes.values())

    async def _item(self, item: DecideBody | Problem) -> msgspec.Raw:
        try:
            if isinstance(item, Problem):
                raise item
            return msgspec.Raw((await self._decide(item)).body)
        except Problem as problem:
            return msgspec.Raw(msgspec.json.encode({"error": problem.document()}))

    async def feedback(self, request: Request) -> Response:
        items, now = await self._items(request, ("event_id", "type"))
        return await self._accept("outcome", OutcomeBody, items, now, self._service.feedback.record)

    async def events(self, request: Request) -> Response:
        items, now = await self._items(request, ("shopper_id", "type"))
        return await self._accept("event", ShopperEventBody, items, now, self._service.shoppers.record_events)

    async def _items(self, request: Request, single: tuple[str, ...]) -> tuple[list[dict[str, Any]], float]:
        """Read a list of items, or one item by itself."""
        raw = await _read(request, LIST_LIMIT)
        document = parse_json(raw)
        if isinstance(document, dict) and "events" not in document and all(name in document for name in single):
            now = {"now": document.pop("now")} if "now" in document else {}
            raw = msgspec.json.encode({"events": [document], **now})
        body = parse(ListBody, raw)
        return body.events, await self._service.now(body)

    async def _accept(
        self,
        kind: str,
        model: type[BodyType],
        items: Sequence[dict[str, Any]],
        now: float,
        take: Callable[[Sequence[BodyType], float], Awaitable[list[Status]]],
    ) -> Response:
        bodies: dict[int, BodyType] = {}
        statuses: dict[int, Status] = {}
        for number, item in enumerate(items):
            try:
                bodies[number] = parse_item(model, item)
            except Problem as problem:
                error = problem.errors[0]
                statuses[number] = invalid(error.field, error.message)
        statuses.update(zip(bodies, await take(list(bodies.values()), now), strict=True))
        results = [_status(statuses[number]) for number in range(len(items))]
        for status in statuses.values():
            metrics.ITEMS.labels(kind, status.status).inc()
        accepted = sum(status.status != "invalid" for status in statuses.values())
        return _json({"accepted": accepted, "results": results}, 202)

    async def activate(self, request: Request) -> Response:
        event_id, now = await self._moment(request)
        return _json((await self._service.activations.activate(event_id, now)).document())

    async def cancel(self, request: Request) -> Response:
        event_id, now = await self._moment(request)
        await self._service.activations.cancel(event_id, now)
        return _json({"event_id": event_id, "cancelled": True})

    async def _moment(self, request: Request) -> tuple[str, float]:
        """Give the decision that a request is about, and when."""
        body = parse(MomentBody, await _read(request, SINGLE_LIMIT) or b"{}")
        return str(request.path_params["event_id"]), await self._service.now(body)

    async def decision(self, request: Request) -> Response:
        now = await self._service.now(NO_BODY)
        return _json(await self._service.inspector.explain(request.path_params["event_id"], now))

    async def timeline(self, request: Request) -> Response:
        shopper_id, query = _shopper(request), parse_query(TimelineQuery, request.query_params.multi_items())
        return _json(await self._service.timeline.of(shopper_id, query, await self._service.now(NO_BODY)))

    async def shopper(self, request: Request) -> Response:
        shopper_id, now = _shopper(request), await self._service.now(NO_BODY)
        parts = await self._service.export.of(shopper_id, self._service.rulebook, now)
        return StreamingResponse(parts, media_type=_JSON)

    async def report(self, request: Request) -> Response:
        query = parse_query(ReportQuery, request.query_params.multi_items())
        return _json(await self._service.reporter.report(query))

    async def preferences(self, request: Request) -> Response:
        shopper_id, catalogue = _shopper(request), self._service.rulebook.catalogue
        return _json(await self._service.shoppers.read_preferences(shopper_id, catalogue))

    async def put_preferences(self, request: Request) -> Response:
        shopper_id, catalogue = _shopper(request), self._service.rulebook.catalogue
        body = parse(PreferencesBody, await _read(request, SINGLE_LIMIT))
        now = await self._service.now(body)
        return _json(await self._service.shoppers.change_preferences(shopper_id, body, now, catalogue))

    async def erase(self, request: Request) -> Response:
        shopper_id = _shopper(request)
        await self._service.erasure.erase(shopper_id, await self._service.now(MomentBody()))
        return Response(status_code=204)

    async def put_catalog(self, request: Request) -> Response:
        document = parse_json(await _read(request, LIST_LIMIT))
        if not isinstance(document, dict):
            raise BadRequest("the body is no JSON object")
        return _json({"version": await self._service.put_catalogue(document)})

    async def catalog(self, request: Request) -> Response:
        rulebook = self._service.rulebook
        return _json(rulebook.catalogue.to_document(), headers={"Catalog-Version": str(rulebook.version)})

    async def clock(self, request: Request) -> Response:
        raw = await _read(request, SINGLE_LIMIT)
        if self._service.settings.clock == "wall":
            raise NotFound("this service runs by the wall clock")
        body = parse(ClockBody, raw)
        now = body.now.timestamp()
        version = await self._service.reach(now)
        return _json({"now": iso(now), "version": version})

    async def healthz(self, request: Request) -> Response:
        return _json({"status": "alive"})

    async def readyz(self, request: Request) -> Response:
        parts = await self._service.is_ready()
        if not all(parts.values()):
            away = ", ".join(name for name, at_hand in parts.items() if not at_hand)
            raise Unavailable(f"cannot decide: {away} is away")
        fresh = await asyncio.to_thread(self._service.is_fresh)
        return _json({"status": "ready", **parts, "clock": self._service.settings.clock, "fresh": fresh})

    async def metrics(self, request: Request) -> Response:
        metrics.MODEL_VERSION.set(self._service.versions.current().policy.version)
        metrics.STATE_TRUSTED.set(self._service.store.incarnation is not None)
        text = await asyncio.to_thread(metrics.exposition, self._multiprocess_dir)
        return Response(text, media_type=metrics.CONTENT_TYPE)


def _parsed(item: dict[str, Any]) -> DecideBody | Problem:
    """Read one item of a batch; a bad one fails alone."""
    try:
        return parse_item(DecideBody, item)
    except Problem as problem:
        return problem


def _shopper(request: Request) -> str:
    return parse_item(ShopperBody, request.path_params).shopper_id


def _status(status: Status) -> dict[str, str]:
    if status.error is None:
        return {"status": status.status}
    return {"status": status.status, "field": status.error.field, "message": status.error.message}
