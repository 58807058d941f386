"""The answers that HAProxy gives by itself, as problem documents (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import msgspec

from decision_service.schemas.problems import Problem

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 1

_AWAY = "the service cannot answer at the moment: it starts, it stops, or a part of it is being replaced"
_DETAILS = {
    400: (HTTPStatus.BAD_REQUEST, "the request is not valid HTTP"),
    404: (HTTPStatus.NOT_FOUND, "the service has no such path"),
    408: (HTTPStatus.REQUEST_TIMEOUT, "the request did not arrive completely in time"),
    429: (HTTPStatus.TOO_MANY_REQUESTS, "too many requests are waiting"),
    500: (HTTPStatus.INTERNAL_SERVER_ERROR, "the ingress of the service failed"),
    502: (HTTPStatus.SERVICE_UNAVAILABLE, _AWAY),
    503: (HTTPStatus.SERVICE_UNAVAILABLE, _AWAY),
    504: (HTTPStatus.SERVICE_UNAVAILABLE, "the service did not answer in time"),
}
"""HAProxy's status → the status that the caller sees, and the detail."""

_WITH_RETRY_AFTER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def write_error_files(directory: Path) -> dict[int, Path]:
    """Write one file per status of HAProxy, and return the files by status."""
    files = {}
    for number, (status, detail) in _DETAILS.items():
        files[number] = directory / f"{number}.http"
        files[number].write_bytes(build_response(status, detail))
    return files


def build_response(status: HTTPStatus, detail: str, *, length: int = 0) -> bytes:
    r"""Return a whole HTTP response with a problem document, filled up with spaces to a length.

    >>> build_response(HTTPStatus.NOT_FOUND, "no such path").partition(b"\r\n")[0]
    b'HTTP/1.1 404 Not Found'
    >>> len(build_response(HTTPStatus.NOT_FOUND, "no such path", length=250))
    250
    """
    body = msgspec.json.encode(Problem(title=status.phrase, status=status.value, detail=detail, errors=()))
    response = _join(status, body)
    return response if len(response) >= length else _join(status, body.ljust(len(body) + length - len(response)))


def _join(status: HTTPStatus, body: bytes) -> bytes:
    headers = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {MEDIA_TYPE}",
        f"Content-Length: {len(body):3}",
        "Connection: close",
    ]
    if status in _WITH_RETRY_AFTER:
        headers.append(f"Retry-After: {_RETRY_AFTER_S}")
    return "\r\n".join([*headers, "", ""]).encode() + body
