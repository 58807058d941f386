"""The identity of a run: every request to a replica names the run that it is for, every answer the run it is from.

A back end is known by an address, and another program may listen there. So a replica refuses a request for another
run, and the ingress passes on no answer of another run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.middleware import Middleware

from decision_service.runtime.leftovers import TOKEN_VARIABLE

HEADER = "decision-service-run"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

_NAME = HEADER.encode()
_MISDIRECTED = 421


def identity_of(token: str) -> str:
    """Return the identity of the run with this token. The token itself is never sent.

    >>> identity_of("secret")
    '2bb80d537b1da3e3'
    """
    return hashlib.sha256(token.encode()).hexdigest()[:16]


class IdentityCheck:
    """An ASGI application that answers for one run only, and says in every answer which run that is.

    Parameters
    ----------
    app
        The application that answers.
    identity
        The identity of the run.
    """

    def __init__(self, app: Application, identity: str) -> None:
        self._app = app
        self._identity = identity.encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_identity(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (_NAME, self._identity)]
            await send(message)

        if any(name == _NAME and value != self._identity for name, value in scope["headers"]):
            await _refuse(send_with_identity)
        else:
            await self._app(scope, receive, send_with_identity)


def build_middlewares() -> list[Middleware]:
    """Return the middleware of this process's run. Serve calls this function in every process that answers HTTP."""
    return [Middleware(IdentityCheck, identity=identity_of(os.environ[TOKEN_VARIABLE]))]


async def _refuse(send: Send) -> None:
    await send({"type": "http.response.start", "status": _MISDIRECTED, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
