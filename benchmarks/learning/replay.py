"""Whether the service learns: real purchases replayed through a new service for each seed."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from math import hypot
from pathlib import Path

from benchmarks.running_service import run_service
from decision_service.cli import replay
from decision_service.cli.measurements import Measured


class ReplayFailed(RuntimeError):
    """A replay ended with an error, which the replay has printed."""


def measure(file: Path, *, limit: int, seeds: Sequence[int]) -> list[Measured]:
    """Replay the first purchases of a file with each seed; the results are ``replay.….seed_N`` and ``….mean``.

    Raises
    ------
    ReplayFailed
        When a replay fails.
    """
    replays = [_replay(file, limit, seed) for seed in seeds]
    of_seeds = [
        replace(result, name=f"{result.name}.seed_{seed}")
        for seed, results in zip(seeds, replays, strict=True)
        for result in results
    ]
    return [*of_seeds, *mean_differences(replays)]


def mean_differences(replays: Sequence[Sequence[Measured]]) -> list[Measured]:
    """Return the means over replays of the results that have intervals in all of them.

    Replays with different seeds are independent.

    >>> mean_differences([[Measured("a", 1.0, -2.0, 4.0)], [Measured("a", 2.0, -2.0, 6.0)]])
    [Measured(name='a.mean', value=1.5, low=-1.0, high=4.0, unit='')]
    """
    by_name = defaultdict[str, list[Measured]](list)
    for results in replays:
        for result in results:
            if result.low is not None:
                by_name[result.name].append(result)
    return [_mean(group) for group in by_name.values() if len(group) == len(replays)]


def _mean(results: Sequence[Measured]) -> Measured:
    middle = sum(result.value for result in results) / len(results)
    reach = hypot(*(((result.high or 0.0) - (result.low or 0.0)) / 2 for result in results)) / len(results)
    return Measured(f"{results[0].name}.mean", middle, middle - reach, middle + reach, results[0].unit)


def _replay(file: Path, limit: int, seed: int) -> list[Measured]:
    with run_service("--clock", "request", "--seed", str(seed)) as url, tempfile.NamedTemporaryFile() as results:
        if replay.run(file, replay.ReplayOptions(url, limit=limit, seed=seed, json=Path(results.name))) != 0:
            raise ReplayFailed(f"the replay of {file.name} with seed {seed} failed")
        document = json.loads(Path(results.name).read_text(encoding="utf-8"))
    return [Measured(**result) for result in document["results"]]
