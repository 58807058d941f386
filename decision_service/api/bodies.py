"""The bytes of bodies: read within limits of size and time, and refused by their headers; and answers in JSON.

`schemas.parsing` validates the bytes.
"""

from __future__ import annotations

import asyncio
from email.message import Message

import msgspec
from fastapi import Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from decision_service.errors import Incomplete, TooLarge, UnsupportedMedia
from decision_service.schemas.parsing import parse
from decision_service.schemas.requests import MomentBody

SINGLE_LIMIT = 1 << 20
LIST_LIMIT = 8 << 20

_BODY_WITHIN_S = 60.0
"""How long a caller may take to send a body. Behind the ingress only a large body is still arriving at this point."""

_READABLE = {
    *("", "application/json", "text/json", "text/plain"),
    *("application/x-www-form-urlencoded", "application/octet-stream"),
}
"""Media types under which clients send JSON; curl and others send their default type if the user names none."""

_CHARSETS = {"utf-8", "utf8", "us-ascii", "ascii"}


async def read(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Read a body. If the body is too large or unreadable, read and drop it, so that the caller sees the answer."""
    try:
        async with asyncio.timeout(_BODY_WITHIN_S):
            raw, size = await _receive(receive, limit)
    except TimeoutError:
        raise Incomplete(f"the body did not arrive completely within {_BODY_WITHIN_S:.0f} s") from None
    if size:
        headers = dict(reversed(scope["headers"]))  # the first of several values is the last one in reverse
        content_type, encoding = headers.get(b"content-type", b""), headers.get(b"content-encoding", b"")
        refuse_unreadable(content_type.decode("latin-1"), encoding.decode("latin-1"))
    if size > limit:
        raise TooLarge(f"the body has {size} bytes; at most {limit} are read")
    return raw


async def _receive(receive: Receive, limit: int) -> tuple[bytes, int]:
    """Return a body, cut at a limit, and its size."""
    chunks: list[bytes] = []
    size, is_more = 0, True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        is_more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks), size


def refuse_unreadable(content_type: str, encoding: str) -> None:
    """Refuse a body that is compressed, or whose media type is not JSON.

    Raises
    ------
    UnsupportedMedia
        The message names the header, its value and what is allowed.
    """
    if content_type == "application/json" and not encoding:
        return
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMedia(f"Content-Encoding is {encoding[:100]!r}: the body must not be compressed")
    message = Message()
    message["content-type"] = content_type
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in _READABLE and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise UnsupportedMedia(f"Content-Type is {media_type[:100]!r}: the body must be application/json")
    charset = message.get_content_charset("utf-8")
    if charset not in _CHARSETS:
        raise UnsupportedMedia(f"Content-Type names the charset {charset[:100]!r}: the body must be UTF-8")


async def read_raw(request: Request, limit: int = SINGLE_LIMIT) -> bytes:
    """Read the bytes of a body.

    FastAPI would validate the Python objects that it makes of JSON. Bodies are validated as JSON, where a time is
    text and text is never a number: see decision record 0012.
    """
    return await read(request.scope, request.receive, limit)


async def read_moment(request: Request) -> MomentBody:
    """Read the body of a call that needs no body: it may hold the time of the call."""
    return parse(MomentBody, await read_raw(request) or b"{}")


def json_response(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(content), status, headers, "application/json")
