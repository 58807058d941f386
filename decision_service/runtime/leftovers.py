"""Clearing what a run left: its processes, its directory of sockets, its record."""

from __future__ import annotations

from pathlib import Path

from decision_service.runtime import orphans
from decision_service.runtime.data_directory import DataDirectory, Run
from decision_service.runtime.runtime_directory import RuntimeDirectory


def clear(data: DataDirectory, run: Run, *, patience_s: float = 5.0) -> int:
    """End the run's processes, keep its logs in the data directory, remove its runtime directory.

    Returns
    -------
    int
        How many processes were ended.
    """
    left = orphans.marked(run.token)
    orphans.end(left, patience_s=patience_s)
    runtime = RuntimeDirectory(Path(run.runtime))
    if runtime.belongs_to(run.token):
        data.keep_logs(runtime.ray_logs)
        runtime.remove()
    return len(left)
