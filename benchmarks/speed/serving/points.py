"""Points: loads with a name, measured in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.speed.serving.noop import NOOP, RAW
from benchmarks.speed.serving.plan import LoadPlan, Stream
from benchmarks.speed.serving.processes import ServiceProcesses
from benchmarks.speed.serving.target import Target, decide_path
from benchmarks.speed.serving.window import LoadProcess, Window, measure

Say = Callable[[str], None]
Series = Mapping[str, Sequence[Window]]
"""Name of a point → its windows, one per round."""

_LONGER_S = 0.5
"""How much longer than the load beside it a background load runs."""

_WARM_UP_BATCH = 100
_WARM_UP_S = 2.0


@dataclass(frozen=True)
class Point:
    """A load with a name.

    Attributes
    ----------
    name
        Its name in tables.
    connections
        Connections with one request at a time each.
    batch
        Decides per request; 0 for single requests, None for the route that does nothing.
    is_raw
        Whether the route that does nothing is the one without FastAPI.
    shoppers
        How many shoppers are asked about.
    rate
        Requests per second of an open loop; 0 for a closed loop.
    beside
        The size of the batches that one more connection sends at the same time; 0 for none.
    """

    name: str
    connections: int
    batch: int | None = 0
    is_raw: bool = False
    shoppers: int = 10_000
    rate: float = 0.0
    beside: int = 0

    @property
    def path(self) -> str:
        """The path that is asked."""
        return (RAW if self.is_raw else NOOP) if self.batch is None else decide_path(self.batch)


class Measurer:
    """Measures points of one service.

    Parameters
    ----------
    target
        The service.
    seconds
        How long each load is.
    """

    def __init__(self, target: Target, seconds: float) -> None:
        self._target = target
        self._seconds = seconds
        self._processes = ServiceProcesses(target.service.pid)

    def warm_up(self, shoppers: int, decisions: int) -> None:
        """Decide until so many decisions were made: caches are full then, and shoppers have sends."""
        made = 0
        while made < decisions:
            stream = self._target.make_stream(shoppers, _WARM_UP_BATCH)
            plan = self._make_plan(decide_path(_WARM_UP_BATCH), 4, stream, _WARM_UP_S)
            window = measure(plan, self._processes)
            made += max(1, window.load.decisions)
            self._target.advance(stream, window.load.decisions)

    def memory_mb(self) -> dict[str, float]:
        """Return the resident memory of the service by role."""
        return self._processes.memory_mb()

    def measure(self, point: Point) -> Window:
        """Measure a point once."""
        if not point.beside:
            return self._measure_alone(point)
        stream = self._target.make_stream(point.shoppers, point.beside)
        plan = self._make_plan(decide_path(point.beside), 1, stream, self._seconds + _LONGER_S)
        with LoadProcess(plan) as background:
            background.begin()
            window = self._measure_alone(point)
            self._target.advance(stream, background.finish().decisions)
        return window

    def _measure_alone(self, point: Point) -> Window:
        stream = None if point.batch is None else self._target.make_stream(point.shoppers, point.batch)
        plan = self._make_plan(point.path, point.connections, stream, self._seconds, point.rate)
        window = measure(plan, self._processes)
        if stream is not None:
            self._target.advance(stream, window.load.decisions)
        return window

    def _make_plan(
        self, path: str, connections: int, stream: Stream | None, seconds: float, rate: float = 0.0
    ) -> LoadPlan:
        host, port = self._target.address
        return LoadPlan(
            host=host,
            port=port,
            path=path,
            connections=connections,
            seconds=seconds,
            stream=stream,
            rate=rate,
            seed=self._target.streams,
        )


def measure_in_turns(
    points: Sequence[tuple[Measurer, Point]], rounds: int, say: Say, beside: Iterable[Callable[[], object]] = ()
) -> dict[str, list[Window]]:
    """Measure points in turns: each once per round, so that other work of the machine falls on all of them.

    Parameters
    ----------
    points
        Each with the measurer of its service.
    rounds
        How often.
    say
        Shows a line of progress.
    beside
        What else is measured once per round; it keeps its results itself.
    """
    series: dict[str, list[Window]] = {point.name: [] for _, point in points}
    others = list(beside)
    for number in range(rounds):
        for measurer, point in points:
            series[point.name].append(measurer.measure(point))
        for other in others:
            other()
        say(f"  round {number + 1} of {rounds}: {_summary(series)}")
    return series


def _summary(series: Mapping[str, Sequence[Window]]) -> str:
    return ", ".join(f"{name} {windows[-1].per_s:,.0f}/s" for name, windows in series.items())
