"""The resident memory of a service while it decides: whether a replica keeps something of what it has decided.

Lists of decisions go over one connection. The memory is noted after every tenth of them. What a replica keeps from
its first decisions (compiled templates, buffers, the heap of the allocator) is no growth, so the growth is the slope of
the second half.
"""

from __future__ import annotations

import http.client
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.running_service import run_command
from benchmarks.speed.serving.bodies import make_decides
from benchmarks.speed.serving.plan import Stream
from benchmarks.speed.serving.processes import ServiceProcesses
from decision_service.cli.measurements import Measured

_ROLES = ("replica", "learner", "Redis")
_LOOKS = 10
_BATCH = 100
_BEGIN = 1_795_280_400.0
_STEP_S = 1.0
_PATH = "/v1/decide/batch"

Say = Callable[[str], None]
Looks = Mapping[int, Mapping[str, float]]
"""The memory by role, in MiB, by the number of decisions that were made until then."""


class Refused(RuntimeError):
    """The service did not answer a list of decisions."""


def measure(decisions: int, shoppers: int, seed: int, say: Say) -> list[Measured]:
    """Measure the memory of a service with one replica while it makes so many decisions."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        looks = dict(_run(decisions, shoppers, seed, Path(directory), say))
    return [result for role in _ROLES for result in _results(looks, role)]


def _run(
    decisions: int, shoppers: int, seed: int, directory: Path, say: Say
) -> Iterator[tuple[int, Mapping[str, float]]]:
    options = ("--clock", "request", "--port", "0", "--data-dir", str(directory / "data"))
    with run_command([sys.executable, "-m", "decision_service", "serve", *options]) as service:
        processes, address = ServiceProcesses(service.pid), urlsplit(service.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        bodies = make_decides(Stream(shoppers=shoppers, seed=seed, begin=_BEGIN, step_s=_STEP_S))
        every = max(_BATCH, decisions // _LOOKS)
        for made in range(_BATCH, decisions + 1, _BATCH):
            _decide(connection, list(islice(bodies, _BATCH)))
            if made % every < _BATCH:
                yield made, processes.memory_mb()
                say(f"{made:,} decisions")
        connection.close()


def _decide(connection: http.client.HTTPConnection, decides: list[str]) -> None:
    body = '{"decisions":[' + ",".join(decides) + "]}"
    connection.request("POST", _PATH, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise Refused(f"a list of decisions was answered with {answer.status}: {content[:200]!r}")


def _results(looks: Looks, role: str) -> list[Measured]:
    """Return the memory of a role after each part of the decisions, and its growth in the second half."""
    name, made = f"memory.{role.lower()}", list(looks)
    held = [looks[count][role] for count in made]
    later = len(made) // 2
    slope, _ = statistics.linear_regression(made[later:], held[later:])
    return [
        *(
            Measured(f"{name}.{count}_mb", mb, unit=f"MiB resident after {count:,} decisions")
            for count, mb in zip(made, held, strict=True)
        ),
        Measured(f"{name}.growth", slope * 100_000, unit="MiB per 100,000 decisions, slope of the second half"),
    ]
