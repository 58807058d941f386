"""Redis is frozen, and then a replica is killed: what the gauges and the service log say."""

from __future__ import annotations

from pathlib import Path

import psutil

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.service import run_faulty
from benchmarks.faults.watching import Operator

_LATER_S = 60.0


def repeat(directory: Path) -> Outcome:
    """Freeze Redis, let it go on, kill a replica, then kill everything."""
    with run_faulty(directory / "data", "--replicas", "2") as service:
        service.wait_until_ready()
        operator = Operator(service, directory / "data")
        operator.expect_gauge("state_trusted", 1, _LATER_S)
        _freeze_redis(operator)
        _kill_replica(operator)
        operator.expect_log_to_survive()
    return Outcome(tuple(operator.broken), 0.0)


def _freeze_redis(operator: Operator) -> None:
    (redis,) = operator.service.find("redis-server")
    redis.suspend()
    try:
        operator.expect_gauge("state_trusted", 0, _LATER_S)
        operator.expect_ready(ready=False)
        for pid in operator.replicas:
            operator.expect_warning("WARNING", f"replica/{pid} ", "the state store is away")
    finally:
        redis.resume()
    operator.expect_gauge("state_trusted", 1, _LATER_S)
    operator.expect_ready(ready=True, within_s=_LATER_S)


def _kill_replica(operator: Operator) -> None:
    pid = operator.replicas[0]
    psutil.Process(pid).kill()
    operator.expect_ready(ready=True, within_s=_LATER_S)
    operator.expect_gauge("state_trusted", 1, _LATER_S)
    operator.expect_warning("WARNING", f"replica/{pid} ")


FAULT = Fault(
    number=25,
    name="frozen_redis",
    action="SIGSTOP and SIGCONT of Redis, then kill -9 of a replica, then kill -9 of everything (two replicas)",
    rule="the gauges are right before, during and after; each WARNING is in the service log within 5 s, and stays",
    repeat=repeat,
)
