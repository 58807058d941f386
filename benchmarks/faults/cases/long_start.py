"""A start with a long log, whose states must be folded again, and whose HAProxy is killed meanwhile."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.service import FaultyService, run_faulty
from decision_service.runtime.snapshots import snapshot_file
from tests.reference.traffic import drop_early_refusals, find_broken, send_traffic

_ROWS, _ROWS_A_CALL, _SHOPPERS = 100_000, 1_000, 5_000
_LOOK_S, _CALM_S = 0.05, 2.0


def repeat(directory: Path) -> Outcome:
    """Fill a log, and start on it without a snapshot of the states, while callers ask from the first moment on."""
    with run_faulty(directory / "data") as service:
        url = service.wait_until_ready()
        for call in range(_ROWS // _ROWS_A_CALL):
            _post_events(url, call)
    (directory / "data" / "redis" / snapshot_file.NAME).unlink(missing_ok=True)
    with run_faulty(directory / "data") as service:
        url = service.wait_until_begun()
        began = time.monotonic()
        with send_traffic(url) as traffic:
            _kill_haproxy(service)
            service.wait_until_ready()
            back = traffic.wait_for_normal(began)
    decided = [answer.ended for answer in traffic.answers if answer.path == "/v1/decide" and answer.is_normal]
    lost = () if back else ("no decision within three minutes",)
    return Outcome(
        find_broken(drop_early_refusals(traffic.answers), cut_is_allowed=True) + lost,
        min(decided, default=time.monotonic()) - began,
    )


def _kill_haproxy(service: FaultyService) -> None:
    """Kill the HAProxy in front of the service a moment after it began to answer callers."""
    while not (processes := service.find("haproxy -db")):
        time.sleep(_LOOK_S)
    time.sleep(_CALM_S)
    for process in processes:
        process.kill()


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
    action="a start on a log of 100,000 rows without a snapshot, with callers from the first accepted connection on; "
    "meanwhile kill -9 of HAProxy",
    rule="`/healthz` 200 within 1 s; all else an answer of the service or 503 with Retry-After and a problem document",
    repeat=repeat,
)
