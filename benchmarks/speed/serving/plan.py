"""What the load generator is asked to do, and what it answers: two records that go between two processes."""

from __future__ import annotations

import msgspec


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """An endless stream of decides, each with a random event id and a random shopper.

    Attributes
    ----------
    shoppers
        The number of shoppers that are asked about.
    batch
        Decides per request; 0 for single requests.
    seed
        Decides the event ids and the shoppers. Two streams to one service need two seeds.
    begin, step_s
        The time of the first decide, in epoch seconds, and the time between two decides. A service with the request
        clock needs both; a ``begin`` of 0 names no time.
    """

    shoppers: int
    batch: int = 0
    seed: int = 0
    begin: float = 0.0
    step_s: float = 0.0


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One load.

    Attributes
    ----------
    host, port
        Where the service answers.
    path
        The path of a route without a body, or the path of decide.
    stream
        The bodies; None for ``GET`` requests.
    connections
        The number of connections, each with one request at a time.
    seconds
        How long requests are sent. Requests under way at the end are awaited.
    rate
        Requests per second at random times (an open loop). 0 for a closed loop: each connection sends its next
        request as soon as it has its answer.
    seed
        Decides the random times.
    """

    host: str
    port: int
    path: str
    connections: int
    seconds: float
    stream: Stream | None = None
    rate: float = 0.0
    seed: int = 0


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the generator saw.

    Attributes
    ----------
    seconds
        From the first request to the last answer.
    requests, errors
        Answers, and how many of them were not 200.
    decisions, sends
        Decisions in the answers, and how many of them send.
    latencies_us
        Microseconds per request. In an open loop they count from the time at which the request was due, whether a
        connection was free then or not.
    cpu_s
        The generator's own CPU time.
    """

    seconds: float
    requests: int
    errors: int
    decisions: int
    sends: int
    latencies_us: list[int]
    cpu_s: float
