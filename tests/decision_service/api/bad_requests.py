"""Requests with one thing wrong, for every route that is answered before the framework."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.decision_service.conftest import decide_body

NO_TYPE: tuple[Any, ...] = (None, True, 7, -1, 1.5, "", "text", [], {}, [[]], {"a": {"b": 1}}, 10**40, "\ud83d", "a\nb")
"""Values, most of which a field refuses."""

TIMES = ("2026-11-21T17:00:00", "2026-11-21", "1999-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "2026-13-01T00:00:00Z")
TRIGGER = {"type": "cart_abandoned"}


@dataclass(frozen=True)
class BadRequest:
    """What is sent instead of a right request."""

    path: str
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


def wrong_decides() -> Iterator[dict[str, Any]]:
    """Yield bodies of a decide with one wrong part."""
    whole = decide_body(context={"a": 1}, exclude=[{"channel": "push"}], defer_activation=False, dry_run=False)
    yield from (
        {name: part for name, part in whole.items() if name != absent} for absent in whole if absent != "event_id"
    )
    yield from (
        whole | {name: value} for name in (*whole, "colour") for value in NO_TYPE if name != "event_id" or value
    )
    for name in ("priority", "critical", "expires_at", "attributes", "occurred_at", "type", "colour"):
        yield from (decide_body(triggers=[TRIGGER | {name: value}]) for value in NO_TYPE)
    for name in ("message", "channel", "delay_s", "colour"):
        yield from (decide_body(exclude=[{name: value}]) for value in NO_TYPE)
    yield from (decide_body(context={"a": value}) for value in (*NO_TYPE, 2**53 + 1, 1e300, float("nan"), "x" * 1_001))
    yield from (decide_body(context={name: 1}) for name in ("", "x" * 101, "\x7f", "\x00", "locale", "time_zone"))
    yield from (decide_body(now=time) for time in TIMES)
    yield from (decide_body(triggers=[TRIGGER | {"occurred_at": time, "expires_at": time}]) for time in TIMES)
    yield decide_body(triggers=[TRIGGER] * 21)
    yield decide_body(triggers=[{"type": "unknown"}])
    yield decide_body(exclude=[{"channel": "push"}] * 101)
    yield decide_body(context={f"name_{number}": 1 for number in range(101)})
    yield decide_body(shopper_id="x" * 256, event_id="x" * 256)
    yield decide_body(shopper_id="a/timeline")
    yield whole | {f"field_{number}": number for number in range(7)}


def wrong_texts() -> Iterator[bytes]:
    """Yield bodies that are no JSON, or no JSON object."""
    whole = json.dumps(decide_body()).encode()
    yield from (b"", b" ", b"null", b"7", b'"text"', b"[]", b"{}", b"{", b"nonsense", b"\xef\xbb\xbf" + whole)
    yield from (
        whole[:40],
        whole + b"x",
        whole + whole,
        whole.replace(b"s-1", b"s-\xff"),
        whole.replace(b"s-1", b"\\q"),
    )
    yield whole.replace(b'"s-1"', b'"\xed\xa0\xbd"')
    yield whole.replace(b'"s-1"', b'"s-1", "shopper_id": 7')
    yield whole.replace(b'"s-1"', b'NaN, "context": {"a": Infinity}')
    yield b"[" * 100_000
    yield b'{"context": ' + b'{"a": ' * 100_000


def wrong_headers() -> Iterator[tuple[bytes, dict[str, str]]]:
    """Yield bodies whose headers say that nobody can read them."""
    whole = json.dumps(decide_body()).encode()
    yield gzip.compress(whole, mtime=0), {"content-encoding": "gzip"}
    yield whole, {"content-type": "application/xml"}
    yield whole, {"content-type": "application/json; charset=utf-16"}
    yield b" " * (8 << 20) + whole, {"content-type": "application/json"}
    yield b" " * (1 << 20) + whole, {"content-type": "application/xml"}


def bad_requests() -> Iterator[BadRequest]:
    """Yield the requests of the battery."""
    for body in wrong_decides():
        yield BadRequest("/v1/decide", json.dumps(body).encode())
    wrong = [json.dumps(body).encode() for body in wrong_decides()]
    yield BadRequest("/v1/decide/batch", b'{"decisions": [' + b",".join(wrong) + b"]}")
    for body in (
        {"decisions": []},
        {"decisions": [{}] * 1_001},
        {"decisions": {}},
        {"decisions": [decide_body()], "a": 1},
    ):
        yield BadRequest("/v1/decide/batch", json.dumps(body).encode())
    yield BadRequest("/v1/feedback", b'{"events": [{"event_id": "e-1", "type": "wink"}, {}, 7]}')
    yield BadRequest("/v1/events", b'{"events": [{"shopper_id": "s-1", "type": "wink"}, {}, 7]}')
    for path in ("/v1/decide", "/v1/decide/batch", "/v1/feedback", "/v1/events"):
        yield from (BadRequest(path, content) for content in wrong_texts())
        yield from (BadRequest(path, content, headers) for content, headers in wrong_headers())
        yield from (BadRequest(path, b"", method=method) for method in ("GET", "HEAD", "PUT", "DELETE", "FOO"))
        yield from (BadRequest(path + end, b"{}") for end in ("/", "/x", "%FF", "%2F"))
