"""Evaluate ten million rows of Parquet: memory, time, and whether streaming and memory give equal results."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from decision_service.cli.measurements import Measured
from tests.reference.worlds import World

_CHUNK = 500_000


class NotEqual(AssertionError):
    """Streamed and in-memory results differ."""


def write_rows(path: Path, rows: int, shoppers: int, seed: int) -> None:
    """Write a log of a small world as Parquet, chunk by chunk; a shopper's rows are spread over the log."""
    import pyarrow
    import pyarrow.parquet

    world, random = World.of(seed), np.random.default_rng(seed)
    writer: Any = None
    for begin in range(0, rows, _CHUNK):
        count = min(_CHUNK, rows - begin)
        log = world.log(count, random, shoppers=random.integers(0, shoppers, count))
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
        When a value or a bound differs in the last bit.
    """
    with tempfile.TemporaryDirectory(prefix="scale-") as directory:
        path = Path(directory) / "rows.parquet"
        write_rows(path, rows, shoppers, seed)
        size = path.stat().st_size / 2**20
        streamed, memory = (_run(path, how) for how in ("streamed", "memory"))
    if streamed["estimates"] != memory["estimates"]:
        raise NotEqual(f"streamed {streamed['estimates']}, in memory {memory['estimates']}")
    unit = f"{rows:,} rows, {shoppers:,} shoppers"
    return [
        Measured("ope.scale.streamed.peak_mb", streamed["peak_mb"], unit=f"MB resident, {unit}"),
        Measured("ope.scale.streamed.cpu_s", streamed["cpu_s"], unit="CPU s, reading included"),
        Measured("ope.scale.memory.peak_mb", memory["peak_mb"], unit="MB resident"),
        Measured("ope.scale.memory.cpu_s", memory["cpu_s"], unit="CPU s, reading not included"),
        Measured("ope.scale.file_mb", size, unit="MB of Parquet"),
        Measured("ope.scale.equal", 1.0, unit="seven values and intervals, to the last bit"),
    ]


def _run(path: Path, how: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.speed.evaluate_rows", str(path), how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result
