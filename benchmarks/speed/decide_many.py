"""The benchmark of `decide_many` in process: rounds of groups of requests, in turns with an older version if wanted."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from benchmarks.speed import group_timer
from benchmarks.speed.ranges import median
from decision_service.cli.measurements import Measured


class OtherCheckout:
    """An older version of the project that times the same groups in a process of its own."""

    def __init__(self, checkout: Path, actions: int) -> None:
        python = checkout / ".venv" / "bin" / "python"
        run = f"import runpy; runpy.run_path({group_timer.__file__!r}, None, '__main__')"
        self._process = subprocess.Popen(
            [str(python), "-c", f"import sys; sys.argv[1:] = ['{actions}']; {run}"],
            cwd=checkout,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._input, self._output = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._input.close()
        self._process.wait()
        self._output.close()

    def measure(self) -> list[float]:
        """Return the CPU µs per decision in groups of each size."""
        self._input.write(b"again\n")
        self._input.flush()
        measured: list[float] = json.loads(self._output.readline())
        return measured


class GroupRounds:
    """Times groups of requests in rounds, and keeps the measurements.

    Parameters
    ----------
    actions
        The number of joint actions.
    """

    def __init__(self, actions: int) -> None:
        self._actions = actions
        self._timer = group_timer.GroupTimer(actions)
        self._timer.measure()
        self._rounds: list[list[float]] = []

    def measure(self) -> list[float]:
        """Measure one round, and return it."""
        self._rounds.append(self._timer.measure())
        return self._rounds[-1]

    def results(self, name: str) -> list[Measured]:
        """Return the median for each size of group; ``name`` is the beginning of their names."""
        known = f"{self._actions} joint actions, {group_timer.KNOWN_SENDS} known sends"
        unit = f"CPU µs per decision, row and answer included; {known}"
        return [
            median(f"{name}.{size}.us", values, unit)
            for size, values in zip(group_timer.GROUPS, zip(*self._rounds, strict=True), strict=True)
        ]


def measure(rounds: int, against: Path | None) -> list[Measured]:
    """Measure groups of requests with 240 joint actions, beside an older version if there is one."""
    ours = GroupRounds(240)
    if against is None:
        for _ in range(rounds):
            ours.measure()
        return ours.results("policy.decide_many")
    with OtherCheckout(against, 240) as other:
        pairs = [(ours.measure(), other.measure()) for _ in range(rounds)]
    ratios = [[old / new for new, old in zip(*pair, strict=True)] for pair in pairs]
    return ours.results("policy.decide_many") + [
        median(f"policy.decide_many.{size}.ratio_to_old", values, "CPU of the older version's decide ÷ this one's")
        for size, values in zip(group_timer.GROUPS, zip(*ratios, strict=True), strict=True)
    ]
