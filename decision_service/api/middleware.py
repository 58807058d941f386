"""What is true of every path: its bytes are UTF-8, and GET routes answer HEAD."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from decision_service.api.problems import problem_response
from decision_service.errors import Malformed


class EveryPath:
    """Refuses a path whose bytes are no UTF-8, and answers HEAD as GET without the content.

    Servers put one replacement character for every byte that is no UTF-8, so that two ids would become one.

    Parameters
    ----------
    app
        The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif not is_utf8(scope.get("raw_path")):
            await problem_response(Malformed("the path is not UTF-8"))(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET"}, receive, _without_content(send))
        else:
            await self._app(scope, receive, send)


def is_utf8(raw_path: bytes | None) -> bool:
    """Return whether a path is text; a server that does not pass the raw path on has checked it.

    >>> is_utf8(b"/v1/shoppers/se%C3%B1ora"), is_utf8(b"/v1/shoppers/%FF")
    (True, False)
    """
    try:
        unquote_to_bytes(raw_path or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_content(send: Send) -> Send:
    """Return a sender that drops the content of an answer and keeps its headers."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head
