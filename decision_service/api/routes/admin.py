"""Operating the service: probes, metrics, and the clock of simulations."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from decision_service import metrics
from decision_service.api.bodies import json_response, read_raw
from decision_service.api.documentation import Answers, Reads, describe
from decision_service.api.routing import ServiceOf
from decision_service.errors import Invalid, NotFound, Unavailable
from decision_service.schemas.command_answers import AliveAnswer, ClockAnswer, ReadyAnswer
from decision_service.schemas.decision_answer import iso
from decision_service.schemas.parsing import parse
from decision_service.schemas.requests import ClockBody

router = APIRouter(tags=["Operate"])


@router.post(
    "/v1/clock",
    name="clock",
    **describe(
        "advanceClock",
        "Let time pass (request clock only)",
        Answers(ClockAnswer, example={"now": "2026-11-22T17:00:00Z", "version": 0}),
        reads=Reads(ClockBody, {"now": "2026-11-22T17:00:00Z"}),
        errors=(Invalid, NotFound, Unavailable),
    ),
)
async def advance_clock(request: Request, service: ServiceOf) -> Response:
    """The answer comes once all earlier rows are learned from and every replica serves the new model version.

    A time in the past changes nothing.
    """
    raw = await read_raw(request)
    if service.settings.clock == "wall":
        raise NotFound("this service runs by the wall clock")
    now = parse(ClockBody, raw).now.timestamp()
    return json_response(ClockAnswer(iso(now), await service.reach(now)))


@router.get(
    "/healthz",
    name="healthz",
    **describe("checkAlive", "Check that the process answers", Answers(AliveAnswer, example={"status": "alive"})),
)
async def check_alive() -> Response:
    """The answer says nothing about the parts that a decision needs: see `/readyz`."""
    return json_response(AliveAnswer())


@router.get(
    "/readyz",
    name="readyz",
    **describe(
        "checkReady",
        "Check that the service can decide",
        Answers(
            ReadyAnswer,
            example={
                "status": "ready",
                "state": True,
                "log": True,
                "model": True,
                "clock": "wall",
                "fresh": False,
            },
        ),
        errors=(Unavailable,),
    ),
)
async def check_ready(service: ServiceOf) -> Response:
    """A decision needs the state, a log that can be written, and a model. The problem names the parts that are away."""
    parts = await service.is_ready()
    if not all(parts.values()):
        away = ", ".join(name for name, at_hand in parts.items() if not at_hand)
        raise Unavailable(f"cannot decide: {away} is away")
    fresh = await asyncio.to_thread(service.is_fresh)
    answer = ReadyAnswer(
        state=parts["state"], log=parts["log"], model=parts["model"], clock=service.settings.clock, fresh=fresh
    )
    return json_response(answer)


@router.get(
    "/metrics",
    name="metrics",
    **describe("getMetrics", "Return the metrics for Prometheus", Answers(media_type="text/plain")),
)
async def get_metrics(request: Request, service: ServiceOf) -> Response:
    """The numbers of all replicas are added up, whichever replica answers."""
    service.set_gauges()
    text = await asyncio.to_thread(metrics.exposition, request.app.state.multiprocess_dir)
    return Response(text, media_type=metrics.CONTENT_TYPE)
