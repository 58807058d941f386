"""Hot routes: the routes with most requests, answered without the framework's routing.

The framework's routing (matching all paths, resolving dependencies, building a request) costs more than the rest of an
empty answer. A hot route is declared like any other route, and is also a route of the framework: the framework
documents it, answers a wrong method, and answers where the application is mounted under another path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from decision_service.api.bodies import read_raw
from decision_service.api.routing import ServiceOf
from decision_service.app import Service

Answer = Callable[[Service, bytes], Awaitable[Response]]
"""Answers a request whose body was read."""


@dataclass(frozen=True)
class HotRoute:
    """A route that needs only the body of a request.

    Parameters
    ----------
    name
        The label of the endpoint in the metrics.
    limit
        How many bytes the body may have.
    answer
        Answers a request.
    """

    name: str
    limit: int
    answer: Answer


class HotRouter(APIRouter):
    """A router of the framework with some hot routes; ``hot`` has these by path."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.hot: dict[str, HotRoute] = {}

    def hot_post(self, path: str, *, name: str, limit: int, **documentation: Any) -> Callable[[Answer], Answer]:
        """Return a decorator that makes a hot route of a function, with the method `POST`."""

        def add(answer: Answer) -> Answer:
            async def endpoint(request: Request, service: ServiceOf) -> Response:
                return await answer(service, await read_raw(request, limit))

            endpoint.__doc__ = answer.__doc__
            self.post(path, name=name, **documentation)(endpoint)
            self.hot[path] = HotRoute(name, limit, answer)
            return answer

        return add
