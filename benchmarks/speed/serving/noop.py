"""The service's own Serve application, in which each replica has two more routes: they answer and do nothing.

``/noop`` is a route of a plain FastAPI application, ``/noop/raw`` a bare ASGI function. They are answered by the
replica that decides, behind the same ingress, with the same settings: what a decide costs beyond them is ours.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from decision_service.settings import Settings

NOOP, RAW = "/noop", "/noop/raw"

_BODY = b'{"status":"ok"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]

noop = FastAPI()


@noop.get(NOOP)
async def answer() -> dict[str, str]:
    """Return what costs nothing to make."""
    return {"status": "ok"}


async def answer_raw(scope: Any, receive: Any, send: Any) -> None:
    """Answer without a framework."""
    # A new record for each answer: a middleware adds its header to it.
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


class BesideNoops:
    """An ASGI application that hands each request on: to one of the two routes, or to the service."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self._others: dict[str, Any] = {NOOP: noop, RAW: answer_raw}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        await self._others.get(scope.get("path", ""), self._service)(scope, receive, send)


def build_application(settings: Settings) -> Any:
    """Return the Serve application of a service whose replicas also have the two routes."""
    from decision_service.runtime import deployments

    # What Serve's decorators made of the two classes: deployments, says none of their annotations.
    learner: Any = deployments.LearnerDeployment
    replica: Any = deployments.Replica
    served: Any = replica.func_or_class

    def build(self: Any) -> BesideNoops:
        return BesideNoops(served.__serve_build_asgi_app__(self))

    beside = type("ReplicaBesideNoops", (served,), {"__serve_build_asgi_app__": build})
    return replica.options(func_or_class=beside, num_replicas=settings.replicas).bind(settings, learner.bind(settings))
