"""Does the service learn? Real purchases through services of the benchmark's own, one for each seed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from math import hypot
from pathlib import Path

from benchmarks.running_service import running
from decision_service.cli import replay
from decision_service.cli.measurements import Measured


class ReplayFailed(RuntimeError):
    """A replay ended with an error, which it has told."""


def measure(file: Path, *, limit: int, seeds: Sequence[int]) -> list[Measured]:
    """Replay the first purchases of a file with each seed; name the results ``replay.….seed_N`` and ``….mean``.

    Raises
    ------
    ReplayFailed
        When a replay did not come to its end.
    """
    replays = [_one(file, limit, seed) for seed in seeds]
    of_seeds = [
        replace(each, name=f"{each.name}.seed_{seed}") for seed, own in zip(seeds, replays, strict=True) for each in own
    ]
    return [*of_seeds, *mean_differences(replays)]


def mean_differences(replays: Sequence[Sequence[Measured]]) -> list[Measured]:
    """Give the mean over replays of every result with an interval, as replays with seeds of their own are independent.

    >>> mean_differences([[Measured("a", 1.0, -2.0, 4.0)], [Measured("a", 2.0, -2.0, 6.0)]])
    [Measured(name='a.mean', value=1.5, low=-1.0, high=4.0, unit='')]
    """
    return [_mean(each) for each in zip(*replays, strict=True) if all(own.low is not None for own in each)]


def _mean(results: Sequence[Measured]) -> Measured:
    middle = sum(each.value for each in results) / len(results)
    reach = hypot(*(((each.high or 0.0) - (each.low or 0.0)) / 2 for each in results)) / len(results)
    return Measured(f"{results[0].name}.mean", middle, middle - reach, middle + reach, results[0].unit)


def _one(file: Path, limit: int, seed: int) -> list[Measured]:
    with running("--clock", "request", "--seed", str(seed)) as url, tempfile.NamedTemporaryFile() as results:
        if replay.run(file, url=url, limit=limit, seed=seed, json=Path(results.name)) != 0:
            raise ReplayFailed(f"the replay of {file.name} with seed {seed} failed")
        document = json.loads(Path(results.name).read_text(encoding="utf-8"))
    return [Measured(**result) for result in document["results"]]
