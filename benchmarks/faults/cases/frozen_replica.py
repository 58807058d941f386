"""The only replica is frozen, and nobody thaws it."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.service import run_faulty
from tests.reference.traffic import find_broken, measure_outage, send_traffic

_REPLICA = "ServeReplica:decision-service:replica"
_CALM_S = 2.0


def repeat(directory: Path) -> Outcome:
    """Stop the process of the replica with SIGSTOP under light traffic."""
    with run_faulty(directory / "data") as service:
        url = service.wait_until_ready()
        with send_traffic(url) as traffic:
            time.sleep(_CALM_S)
            frozen = service.find(_REPLICA)
            for process in frozen:
                process.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            back = traffic.wait_for_normal(began)
        replaced = {process.pid for process in service.find(_REPLICA)}.isdisjoint(process.pid for process in frozen)
    broken = [*find_broken(traffic.answers, cut_is_allowed=True)]
    if not back:
        broken.append("no decision within three minutes")
    if not replaced:
        broken.append("the frozen replica is still there")
    return Outcome(tuple(broken), measure_outage(traffic.answers, begin=began))


FAULT = Fault(
    number=28,
    name="frozen_replica",
    action="SIGSTOP of the only replica, for ever, under light traffic",
    rule="it is replaced; until then `/healthz` is 200 and all else a 503 with Retry-After",
    repeat=repeat,
)
