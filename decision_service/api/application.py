"""The ASGI application of one replica: its routes, and the service behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from decision_service.api import admin, catalogue, decisions, feedback, report, shoppers
from decision_service.api.documentation import TITLE, VERSION, openapi_document
from decision_service.api.problems import framework_problem
from decision_service.app import Service

_ROUTERS = tuple(module.router for module in (decisions, feedback, shoppers, catalogue, report, admin))


class Api(FastAPI):
    """The routes of the HTTP API; without a service they can only be documented."""

    def __init__(self, **options: Any) -> None:
        super().__init__(title=TITLE, version=VERSION, **options)
        for router in _ROUTERS:
            # In one list, so that a wrong method is answered with the methods of all routes that share the path.
            self.router.routes.extend(router.routes)
        self.add_exception_handler(HTTPException, framework_problem)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi_document(self)
        return self.openapi_schema


def build_api(service: Service, *, multiprocess_dir: str | None = None) -> FastAPI:
    """Make the application of one replica; its lifespan starts and stops the service.

    Parameters
    ----------
    service
        What answers.
    multiprocess_dir
        Where all replicas leave their metrics; None: this process has its own.
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
    return app
