"""HAProxy is killed, and then its manager in Ray Serve, while callers ask."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.service import FaultyService, run_faulty
from tests.reference.traffic import Traffic, find_broken, measure_outage, send_traffic

_CALM_S = 2.0


def repeat(directory: Path) -> Outcome:
    """Kill every HAProxy one after the other, then the manager."""
    with run_faulty(directory / "data") as service:
        url = service.wait_until_ready()
        with send_traffic(url) as traffic:
            back = [_kill(service, traffic, victim) for victim in _victims(service)]
    broken = find_broken(traffic.answers, cut_is_allowed=True)
    lost = () if all(back) else ("no decision within three minutes",)
    return Outcome(broken + lost, measure_outage(traffic.answers))


def _victims(service: FaultyService) -> list[str]:
    processes = [process.pid for process in service.find("haproxy -db")]
    return [*map(str, processes), "HAProxyManager"]


def _kill(service: FaultyService, traffic: Traffic, victim: str) -> bool:
    time.sleep(_CALM_S)
    for process in service.find("") if victim.isdecimal() else service.find(victim):
        if not victim.isdecimal() or process.pid == int(victim):
            process.kill()
    return traffic.wait_for_normal(time.monotonic() + _CALM_S)


FAULT = Fault(
    number=23,
    name="killed_haproxy",
    action="kill -9 of each HAProxy, then of Serve's HAProxyManager, under light traffic",
    rule="`/healthz` 200 within 1 s; all else an answer of the service or 503 with Retry-After and a problem document",
    repeat=repeat,
)
