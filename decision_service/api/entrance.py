"""The entrance: every request passes it before its route, be it a hot route or a route of the framework."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from urllib.parse import unquote_to_bytes

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from prometheus_client import Histogram
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from decision_service import metrics
from decision_service.api.bodies import read
from decision_service.api.hot import HotRoute
from decision_service.api.problems import framework_problem, problem_response
from decision_service.api.routing import service_error
from decision_service.app import Service
from decision_service.errors import Malformed
from decision_service.service_log import REQUEST_ID

_ID_LENGTH = 100

_CALLER_LEFT = 499
"""The status that Ray Serve uses for a caller that has hung up; nobody reads it."""


class Entrance:
    """Names a request for the service log, judges its path, answers HEAD as GET, measures, and answers every error.

    The entrance answers a hot route itself; the framework answers every other route. `_admit` makes the checks that
    hold for every route.

    Parameters
    ----------
    app
        The framework's application.
    service
        The service that answers the hot routes.
    hot
        The hot routes by path; their method is `POST`.
    """

    def __init__(self, app: FastAPI, service: Service, hot: Mapping[str, HotRoute]) -> None:
        self.app = app
        self._service = service
        self._hot = hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        REQUEST_ID.set(_request_id(scope))
        sender = _Sender(send, is_head=scope["method"] == "HEAD")
        if sender.is_head:
            scope = {**scope, "method": "GET"}
        route = self._hot.get(scope["path"]) if scope["method"] == "POST" else None
        try:
            _admit(scope)
            if route is None:
                await self.app(scope, receive, sender)
            else:
                response = await route.answer(self._service, await read(scope, receive, route.limit))
                await response(scope, receive, sender)
        except Exception as error:
            if sender.has_begun:
                raise
            await _response_to(error, scope, _name_of(route or _framework_route(scope)))(scope, receive, sender)
        finally:
            if (measured := route or _framework_route(scope)) is not None:
                _seconds_of(measured.name).observe(time.perf_counter() - began)


class _Sender:
    """Sends an answer, without its content where the request was HEAD, and knows whether the answer has begun."""

    def __init__(self, send: Send, *, is_head: bool) -> None:
        self._send = send
        self.is_head = is_head
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        """Send one message of the answer."""
        self.has_begun = True
        if self.is_head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            return text[:_ID_LENGTH]
    return "-"


@cache
def _seconds_of(endpoint: str) -> Histogram:
    return metrics.SECONDS.labels(endpoint)


def _admit(scope: Scope) -> None:
    """Refuse a request that no route may see.

    Servers replace every byte of a path that is not UTF-8 by the same character, so two ids would become one.

    Raises
    ------
    Malformed
        When the path is not UTF-8.
    """
    if not is_utf8(scope.get("raw_path")):
        raise Malformed("the path is not UTF-8")


def is_utf8(raw_path: bytes | None) -> bool:
    """Return whether a path is UTF-8; None counts as True: a server without a raw path has checked the path itself.

    >>> is_utf8(b"/v1/shoppers/se%C3%B1ora"), is_utf8(b"/v1/shoppers/%FF")
    (True, False)
    """
    try:
        unquote_to_bytes(raw_path or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _framework_route(scope: Scope) -> APIRoute | None:
    """Return the route of the API that the framework has found, None where no route fits the path and the method."""
    route = scope.get("route")
    return route if isinstance(route, APIRoute) and scope["method"] in (route.methods or ()) else None


def _name_of(route: HotRoute | APIRoute | None) -> str:
    return "-" if route is None else route.name


def _response_to(error: Exception, scope: Scope, name: str) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=_CALLER_LEFT)
    if isinstance(error, HTTPException):
        return framework_problem(Request(scope), error)
    return problem_response(service_error(error, name))
