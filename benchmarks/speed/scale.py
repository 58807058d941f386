"""Evaluate a large Parquet file, streamed and from memory: peak memory, time, and equality of the results.

The names of the measurements begin with ``ope``: off-policy evaluation.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from decision_service.cli.measurements import Measured
from tests.reference.worlds import RewardWorld

_CHUNK = 500_000


class NotEqual(AssertionError):
    """The streamed results and the results from memory differ."""


def write_rows(path: Path, rows: int, shoppers: int, seed: int) -> None:
    """Write a log of a reward world as Parquet, chunk by chunk; the rows of a shopper are spread over the file."""
    import pyarrow
    import pyarrow.parquet

    world, rng = RewardWorld.of(seed), np.random.default_rng(seed)
    writer: Any = None
    for begin in range(0, rows, _CHUNK):
        count = min(_CHUNK, rows - begin)
        log = world.log(count, rng, shoppers=rng.integers(0, shoppers, count))
        names = ("reward", "propensity", "target_propensity", "q_chosen", "v_target")
        table = pyarrow.table({**{name: getattr(log, name) for name in names}, "shopper": log.shoppers})
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    writer.close()


def measure(rows: int, shoppers: int, seed: int) -> list[Measured]:
    """Evaluate the same file streamed and from memory, each in its own process.

    Raises
    ------
    NotEqual
        When a value or a bound differs, even only in the last bit.
    """
    with tempfile.TemporaryDirectory(prefix="scale-") as directory:
        path = Path(directory) / "rows.parquet"
        write_rows(path, rows, shoppers, seed)
        size = path.stat().st_size / 2**20
        streamed, memory = (_run(path, mode) for mode in ("streamed", "memory"))
    if streamed["estimates"] != memory["estimates"]:
        raise NotEqual(f"streamed {streamed['estimates']}, in memory {memory['estimates']}")
    log_size = f"{rows:,} rows, {shoppers:,} shoppers"
    return [
        Measured("ope.scale.streamed.peak_mb", streamed["peak_mb"], unit=f"MB of resident memory, {log_size}"),
        Measured("ope.scale.streamed.cpu_s", streamed["cpu_s"], unit="CPU s, with the reading of the file"),
        Measured("ope.scale.memory.peak_mb", memory["peak_mb"], unit="MB of resident memory"),
        Measured("ope.scale.memory.cpu_s", memory["cpu_s"], unit="CPU s, without the reading of the file"),
        Measured("ope.scale.file_mb", size, unit="MB, size of the Parquet file"),
        Measured("ope.scale.equal", 1.0, unit="1: all values and intervals of the two runs are equal to the last bit"),
    ]


def _run(path: Path, mode: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.speed.evaluate_rows", str(path), mode]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(process.stdout)
    return result
