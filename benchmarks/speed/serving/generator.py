"""The load generator, a process of its own: ``python -m benchmarks.speed.serving.generator``.

It reads a `LoadPlan` from standard input, makes all requests, connects, and says ``ready``. After a second line on
standard input it sends the load, and writes a `LoadResult`. It does one thing at a time over ``epoll``: about 10 µs of
CPU time per request, so that it takes little from the service on a machine with few cores.
"""

from __future__ import annotations

import random
import select
import sys
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice

import msgspec

from benchmarks.speed.serving.bodies import make_requests
from benchmarks.speed.serving.connection import Answer, Connection
from benchmarks.speed.serving.plan import LoadPlan, LoadResult

_MOST_PER_S = 12_000
"""Requests made before for each second of a closed loop; more cannot be sent by one process."""

_MOST_DECISIONS_PER_S = 15_000
_GIVES_UP_AFTER_S = 150.0
_SPIN_S = 0.0005
"""``epoll`` wakes up to a millisecond late; the last part of a wait for the next due time is spent asking."""


class NoAnswer(TimeoutError):
    """An answer did not come."""


def due_times(rate: float, seconds: float, seed: int) -> list[float]:
    """Return the random times of an open loop, from 0 on: a Poisson process.

    >>> times = due_times(1_000.0, 2.0, seed=1)
    >>> 1_800 < len(times) < 2_200 and times == sorted(times) and times[-1] < 2.0
    True
    """
    chance, time_s, times = random.Random(seed), 0.0, []
    while (time_s := time_s + chance.expovariate(rate)) < seconds:
        times.append(time_s)
    return times


class Generator:
    """Sends the requests of one plan over its connections."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._requests = iter(list(islice(make_requests(plan.path, plan.stream), _count_requests(plan))))
        self._connections = [Connection(plan.host, plan.port) for _ in range(plan.connections)]
        self._by_number: dict[int, Connection] = {}
        self._poll = select.epoll()
        for connection in self._connections:
            self._watch(connection)
        self._busy = 0
        self._latencies: list[int] = []
        self._errors = self._decisions = self._sends = 0

    def run(self) -> LoadResult:
        """Send the load, and return what was seen."""
        cpu, begin = time.process_time(), time.perf_counter()
        if self._plan.rate:
            self._run_open(begin)
        else:
            self._run_closed(begin)
        return LoadResult(
            seconds=time.perf_counter() - begin,
            requests=len(self._latencies),
            errors=self._errors,
            decisions=self._decisions,
            sends=self._sends,
            latencies_us=self._latencies,
            cpu_s=time.process_time() - cpu,
        )

    def _run_closed(self, begin: float) -> None:
        end = begin + self._plan.seconds
        for connection in self._connections:
            self._send(connection, time.perf_counter())
        while self._busy:
            for connection in self._receive_answers(_GIVES_UP_AFTER_S):
                if (now := time.perf_counter()) < end:
                    self._send(connection, now)

    def _run_open(self, begin: float) -> None:
        due = deque(begin + moment for moment in due_times(self._plan.rate, self._plan.seconds, self._plan.seed))
        free = deque(self._connections)
        while due or self._busy:
            while due and free and due[0] <= time.perf_counter():
                self._send(free.popleft(), due.popleft())
            if due and free:
                free.extend(self._receive_answers(max(0.0, due[0] - time.perf_counter() - _SPIN_S), may_wait=True))
            else:
                free.extend(self._receive_answers(_GIVES_UP_AFTER_S))

    def _send(self, connection: Connection, due_at: float) -> None:
        request = next(self._requests, None)
        if request is None:  # all prepared requests were sent: the load ends early
            return
        self._busy += 1
        if not connection.send(request, due_at):
            self._poll.modify(connection.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _receive_answers(self, within_s: float, *, may_wait: bool = False) -> Iterator[Connection]:
        """Yield the connections whose answers have arrived within a time, and are free now.

        Raises
        ------
        NoAnswer
            When nothing happens in this time, unless the load ``may_wait``.
        """
        events = self._poll.poll(within_s)
        if not events and not may_wait:
            raise NoAnswer(f"no answer from {self._plan.path} within {within_s:.0f} s")
        for number, event in events:
            connection = self._by_number[number]
            if event & select.EPOLLOUT and connection.send_rest():
                self._poll.modify(number, select.EPOLLIN)
            if event & ~select.EPOLLOUT and (answer := connection.receive()) is not None:
                self._note(answer, connection.due_at)
                if not answer.is_ok:
                    self._reconnect(connection)
                yield connection

    def _watch(self, connection: Connection) -> None:
        self._by_number[connection.fileno()] = connection
        self._poll.register(connection.fileno(), select.EPOLLIN)

    def _reconnect(self, connection: Connection) -> None:
        """Make a new connection: after an error the service may have closed the old one, or will close it."""
        del self._by_number[connection.fileno()]
        connection.close()
        connection.connect()
        self._watch(connection)

    def _note(self, answer: Answer, due_at: float) -> None:
        self._busy -= 1
        self._latencies.append(int((time.perf_counter() - due_at) * 1e6))
        self._errors += not answer.is_ok
        self._decisions += answer.decisions
        self._sends += answer.sends


def _count_requests(plan: LoadPlan) -> int:
    """Return how many requests a plan can need at most."""
    if plan.rate:
        return len(due_times(plan.rate, plan.seconds, plan.seed))
    at_once = max(1, plan.stream.batch if plan.stream else 1)
    most_per_s = _MOST_PER_S if at_once == 1 else _MOST_DECISIONS_PER_S / at_once
    return plan.connections + int(most_per_s * plan.seconds) + 1


def main() -> None:
    """Run the plan on standard input."""
    generator = Generator(msgspec.json.decode(sys.stdin.readline(), type=LoadPlan))
    print("ready", flush=True)  # noqa: T201 (the parent waits for this line)
    if sys.stdin.readline():
        sys.stdout.buffer.write(msgspec.json.encode(generator.run()) + b"\n")


if __name__ == "__main__":
    main()
