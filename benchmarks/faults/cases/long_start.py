"""A start with a long log, whose states must be folded again."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.service import run_faulty
from tests.reference.traffic import drop_early_refusals, find_broken, send_traffic

_ROWS, _ROWS_A_CALL, _SHOPPERS = 100_000, 1_000, 5_000


def repeat(directory: Path) -> Outcome:
    """Fill a log, and start on it while callers ask from the first moment on."""
    with run_faulty(directory / "data") as service:
        url = service.wait_until_ready()
        for call in range(_ROWS // _ROWS_A_CALL):
            _post_events(url, call)
    with run_faulty(directory / "data") as service:
        url = service.wait_until_begun()
        began = time.monotonic()
        with send_traffic(url) as traffic:
            service.wait_until_ready()
            back = traffic.wait_for_normal(began)
    decided = [answer.ended for answer in traffic.answers if answer.path == "/v1/decide" and answer.is_normal]
    lost = () if back else ("no decision within three minutes",)
    return Outcome(
        find_broken(drop_early_refusals(traffic.answers)) + lost, min(decided, default=time.monotonic()) - began
    )


def _post_events(url: str, call: int) -> None:
    numbers = range(call * _ROWS_A_CALL, (call + 1) * _ROWS_A_CALL)
    events = [
        {"id": f"e-{number}", "shopper_id": f"s-{number % _SHOPPERS}", "type": "product_view"} for number in numbers
    ]
    body = json.dumps({"events": events}).encode()
    request = urllib.request.Request(f"{url}/v1/events", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


FAULT = Fault(
    number=23,
    name="long_start",
    action="a start on a log of 100,000 rows, with callers from the first accepted connection on",
    rule="`/healthz` 200 within 1 s; all else an answer of the service or 503 with Retry-After and a problem document",
    repeat=repeat,
)
