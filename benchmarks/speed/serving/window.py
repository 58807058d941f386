"""One load on a service: what the generator saw, and what each process of the service spent."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

import msgspec

from benchmarks.speed.serving.plan import LoadPlan, LoadResult
from benchmarks.speed.serving.processes import ServiceProcesses, Spent

_ROOT = Path(__file__).parents[3]
_CALM_WITHIN_S = 20.0


class LoadFailed(RuntimeError):
    """The load generator ended without a result."""


@dataclass(frozen=True)
class Window:
    """One measured load.

    Attributes
    ----------
    plan, load
        What was asked for, and what the generator saw.
    cpu_s
        CPU seconds by role, from the first request to the last answer. Those of the learner and Redis also contain
        the work that was left then.
    load_average
        Of the machine, over a minute.
    """

    plan: LoadPlan
    load: LoadResult
    cpu_s: Spent
    load_average: float

    @property
    def units(self) -> int:
        """Decisions, or requests where nothing was decided."""
        return self.load.decisions or self.load.requests

    @property
    def per_s(self) -> float:
        """Decisions per second, or requests where nothing was decided."""
        return self.units / self.load.seconds

    @property
    def sent_share(self) -> float:
        """The share of decisions that send."""
        return self.load.sends / max(1, self.load.decisions)

    @property
    def error_share(self) -> float:
        """The share of requests whose answer was an error."""
        return self.load.errors / max(1, self.load.requests)

    @property
    def little(self) -> float:
        """Throughput × mean latency ÷ connections."""
        return check_little(self.load.latencies_us, self.load.seconds, self.plan.connections)

    def latency_ms(self, share: float) -> float:
        """Return a quantile of the latencies."""
        return quantile(self.load.latencies_us, share) / 1_000

    def cpu_us(self, role: str) -> float:
        """Return the CPU microseconds of a role per decision, or per request where nothing was decided."""
        spent = self.load.cpu_s if role == "generator" else self.cpu_s[role]
        return spent / max(1, self.units) * 1e6


def check_little(latencies_us: list[int], seconds: float, connections: int) -> float:
    """Return throughput × mean latency ÷ connections: by Little's law 1 in a closed loop.

    Less than 1 says that connections were idle between an answer and the next request: the generator was too slow.

    Examples
    --------
    Two connections, 4 requests of half a second each in one second:

    >>> check_little([500_000] * 4, 1.0, 2)
    1.0
    """
    return sum(latencies_us) / 1e6 / seconds / connections


def quantile(values: list[int], share: float) -> float:
    """Return the value that a share of the values does not exceed.

    >>> quantile([5, 1, 3, 2, 4], 0.5), quantile(list(range(1, 101)), 0.99), quantile([], 0.5)
    (3.0, 99.0, nan)
    """
    if not values:
        return float("nan")
    return float(sorted(values)[max(0, ceil(share * len(values)) - 1)])


class LoadProcess:
    """A load generator that has made its requests and waits for the word."""

    def __init__(self, plan: LoadPlan) -> None:
        command = [sys.executable, "-m", "benchmarks.speed.serving.generator"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT)
        self._input, self._output = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._write(msgspec.json.encode(plan))
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._input.close()
        self._output.close()

    def begin(self) -> None:
        """Let the load begin."""
        self._write(b"begin")

    def finish(self) -> LoadResult:
        """Wait until the load has ended, and return what was seen."""
        return msgspec.json.decode(self._read(), type=LoadResult)

    def _write(self, line: bytes) -> None:
        self._input.write(line + b"\n")
        self._input.flush()

    def _read(self) -> bytes:
        line = self._output.readline()
        if not line:
            raise LoadFailed("the load generator ended early: its error is above")
        return line


def measure(plan: LoadPlan, processes: ServiceProcesses) -> Window:
    """Send one load to a calm service, and return what it cost."""
    with LoadProcess(plan) as process:
        before = processes.cpu_s()
        process.begin()
        load = process.finish()
        spent = processes.cpu_s()
    later = processes.wait_until_calm(_CALM_WITHIN_S)
    spent |= {role: later[role] for role in ("learner", "Redis")}
    return Window(plan, load, {role: spent[role] - before[role] for role in spent}, os.getloadavg()[0])
