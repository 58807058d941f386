"""The requests of a load as bytes, made before the load begins."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks.speed.serving.plan import Stream

_BASE = {
    "triggers": [{"type": "cart_abandoned", "attributes": {"product": "Runner 3", "price": 59.9, "currency": "EUR"}}],
    "context": {"device": "mobile", "cart_value": 59.9},
}
_REST = json.dumps(_BASE, separators=(",", ":"))[1:]


def make_requests(path: str, stream: Stream | None) -> Iterator[bytes]:
    r"""Yield HTTP requests without end.

    Examples
    --------
    >>> next(make_requests("/noop", None))
    b'GET /noop HTTP/1.1\r\nHost: service\r\n\r\n'
    >>> head, _, body = next(make_requests("/v1/decide", Stream(shoppers=3, seed=1))).partition(b"\r\n\r\n")
    >>> head.splitlines()[-1].decode() == f"Content-Length: {len(body)}"
    True
    >>> sorted(json.loads(body))
    ['context', 'event_id', 'shopper_id', 'triggers']
    """
    if stream is None:
        while True:
            yield f"GET {path} HTTP/1.1\r\nHost: service\r\n\r\n".encode()
    decides = make_decides(stream)
    while True:
        if stream.batch:
            body = '{"decisions":[' + ",".join(next(decides) for _ in range(stream.batch)) + "]}"
        else:
            body = next(decides)
        yield _post(path, body.encode())


def make_decides(stream: Stream) -> Iterator[str]:
    """Yield the JSON of decides without end.

    Examples
    --------
    >>> first, second = (next(make_decides(Stream(shoppers=9, seed=seed))) for seed in (1, 1))
    >>> first == second
    True
    >>> json.loads(next(make_decides(Stream(shoppers=9, begin=60.25))))["now"]
    '1970-01-01T00:01:00.250000+00:00'
    """
    chance, now = random.Random(stream.seed), stream.begin
    while True:
        event_id, shopper = uuid.UUID(int=chance.getrandbits(128), version=4), chance.randrange(stream.shoppers)
        time = f'"now":"{datetime.fromtimestamp(now, UTC).isoformat()}",' if stream.begin else ""
        yield f'{{"event_id":"{event_id}","shopper_id":"s-{shopper}",{time}{_REST}'
        now += stream.step_s


def _post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body
