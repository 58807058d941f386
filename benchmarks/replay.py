"""Does the service learn? Real purchases through services of the benchmark's own, one for each seed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.running import running
from decision_service.commands import replay
from decision_service.measurement import Measured


class ReplayFailed(RuntimeError):
    """A replay ended with an error, which it has told."""


def measure(file: Path, *, limit: int, seeds: Iterable[int]) -> list[Measured]:
    """Replay the first purchases of a file with each seed; name the results ``replay.….seed_N``.

    Raises
    ------
    ReplayFailed
        When a replay did not come to its end.
    """
    return [result for seed in seeds for result in _one(file, limit, seed)]


def _one(file: Path, limit: int, seed: int) -> list[Measured]:
    with running("--clock", "request", "--seed", str(seed)) as url, tempfile.NamedTemporaryFile() as results:
        if replay.run(file, url=url, limit=limit, seed=seed, json=Path(results.name)) != 0:
            raise ReplayFailed(f"the replay of {file.name} with seed {seed} failed")
        document = json.loads(Path(results.name).read_text(encoding="utf-8"))
    return [Measured(**(result | {"name": f"{result['name']}.seed_{seed}"})) for result in document["results"]]
