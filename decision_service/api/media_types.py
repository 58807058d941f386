"""Media types: which bodies can be read at all."""

from __future__ import annotations

from email.message import Message

from fastapi import Request

from decision_service.errors import UnsupportedMedia

_READABLE = {
    *("", "application/json", "text/json", "text/plain"),
    *("application/x-www-form-urlencoded", "application/octet-stream"),
}
"""Media types under which clients send JSON; curl and others send their default type where nobody names one."""

_CHARSETS = {"utf-8", "utf8", "us-ascii", "ascii"}


def refuse_unreadable(request: Request) -> None:
    """Refuse a body that is compressed, or is no JSON by its media type.

    Raises
    ------
    UnsupportedMedia
        With the header and what it should be.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMedia(f"Content-Encoding is {encoding[:100]!r}: the body must not be compressed")
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    header = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if header not in _READABLE and not (header.startswith("application/") and header.endswith("+json")):
        raise UnsupportedMedia(f"Content-Type is {header[:100]!r}: the body must be application/json")
    charset = message.get_content_charset("utf-8")
    if charset not in _CHARSETS:
        raise UnsupportedMedia(f"Content-Type names the charset {charset[:100]!r}: the body must be UTF-8")
