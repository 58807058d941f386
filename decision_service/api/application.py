"""The ASGI application of one replica: its routes, and the service behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.types import ASGIApp

from decision_service.api.documentation import TITLE, VERSION, openapi_document
from decision_service.api.entrance import Entrance
from decision_service.api.hot import HotRouter
from decision_service.api.routes import admin, catalogue, decisions, feedback, report, shoppers
from decision_service.app import Service

_ROUTERS = tuple(module.router for module in (decisions, feedback, shoppers, catalogue, report, admin))


class Api(FastAPI):
    """The routes of the HTTP API. `build_api` adds the service; without it only the OpenAPI document can be made."""

    def __init__(self, **options: Any) -> None:
        # A redirect would go to the host that the request names; a path with a slash at its end is another path.
        super().__init__(title=TITLE, version=VERSION, redirect_slashes=False, **options)
        for router in _ROUTERS:
            # No `include_router`: with one flat list, a 405 names the allowed methods of all routes with this path.
            self.router.routes.extend(router.routes)

    def build_middleware_stack(self) -> ASGIApp:
        """Return the routes without the framework's answers to errors: `Entrance` answers every error."""
        return AsyncExitStackMiddleware(self.router)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi_document(self)
        return self.openapi_schema


def build_api(service: Service, *, multiprocess_dir: str | None = None) -> Entrance:
    """Make the application of one replica; its lifespan starts and stops the service.

    Parameters
    ----------
    service
        The service that answers the requests.
    multiprocess_dir
        Directory in which all replicas store their metrics. None when this process keeps its own.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = Api(lifespan=lifespan)
    app.state.service, app.state.multiprocess_dir = service, multiprocess_dir
    hot = {path: route for router in _ROUTERS if isinstance(router, HotRouter) for path, route in router.hot.items()}
    return Entrance(app, service, hot)
