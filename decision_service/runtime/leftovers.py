"""Claim a data directory for one service, and clear what a killed run left there.

Every process of a run inherits the environment variable ``DECISION_SERVICE_RUN`` with the run's random token. Only
processes that carry the token recorded in the data directory are ended; no other process is touched.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import psutil

from decision_service.runtime.data_directory import DataDirectory, DirectoryLock, RunRecord
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.runtime_directory import RuntimeDirectory

Lock = TypeVar("Lock")

TOKEN_VARIABLE = "DECISION_SERVICE_RUN"

_KILLED_RUN_ENDS_WITHIN_S = 15.0
_ROUNDS = 3
"""A process that is being ended may have begun another one, which the first round did not find."""

_LOOKED_AT_FOR_S = 0.5
"""A process that only asks whether a lock is held holds the lock for a moment."""

_RETRY_EVERY_S = 0.1


def claim(data: DataDirectory, say: Callable[[str], None]) -> DirectoryLock:
    """Lock the data directory, and clear what the last run left if that run was killed.

    The driver of a killed supervisor may hold ``service.lock`` for some seconds until it has ended. This function
    waits for that, and then ends the processes that remain. A supervisor that lives holds ``supervisor.lock``, and
    none of its processes is ended.

    Parameters
    ----------
    say
        Shows a line to the person who started the service.

    Raises
    ------
    StartRefused
        When a service runs on the directory. The message names the process of that service.
    """
    supervisor_fd = _retry(data.lock_supervisor, _LOOKED_AT_FOR_S)
    if supervisor_fd is None:
        raise _in_use(data)
    try:
        lock = replace(_lock_service(data, say), supervisor_fd=supervisor_fd)
    except BaseException:
        os.close(supervisor_fd)
        raise
    run = data.last_run()
    if run is not None:
        ended = clear(data, run)
        lock.erase_record()
        say(f"The last run was killed: removed what it left, {ended} processes among it")
    return lock


def clear(data: DataDirectory, run: RunRecord, *, patience_s: float = 5.0) -> int:
    """End the processes of a run, keep its Ray logs in the data directory, and remove its runtime directory.

    Returns
    -------
    int
        The number of processes that were ended.
    """
    ended: set[int] = set()
    for _ in range(_ROUNDS):
        processes = find_processes(run.token)
        end_processes(processes, patience_s=patience_s)
        ended |= {process.pid for process in processes}
    runtime = RuntimeDirectory(Path(run.runtime))
    if runtime.belongs_to(run.token):
        data.keep_logs(runtime.ray_logs)
        runtime.remove()
    return len(ended)


def find_processes(token: str) -> list[psutil.Process]:
    """Return the living processes of the run with this token, except this process and its parents.

    A process whose environment this user may not read belongs to another user, and is left out.
    """
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in spared and _has_token(process, token)]


def end_processes(processes: Iterable[psutil.Process], *, patience_s: float = 5.0) -> None:
    """Ask the processes to terminate, wait, and kill those that still run.

    psutil compares start times before it sends a signal, so a process that got the number of an ended one is safe.
    """
    targets = list(processes)
    for process in targets:
        _signal(process, kill=False)
    _, still_alive = psutil.wait_procs(targets, timeout=patience_s)
    for process in still_alive:
        _signal(process, kill=True)
    psutil.wait_procs(still_alive, timeout=patience_s)


def _lock_service(data: DataDirectory, say: Callable[[str], None]) -> DirectoryLock:
    """Lock ``service.lock`` while this process is the only supervisor."""
    lock = _retry(data.lock, _LOOKED_AT_FOR_S)
    if lock is not None:
        return lock
    run = data.last_run()
    if run is None or not run.locks_supervisor:  # of a version before, whose supervisor may live
        raise _in_use(data)
    say("A killed run on this data directory is still stopping; waiting for it …")
    lock = _retry(data.lock, _KILLED_RUN_ENDS_WITHIN_S)
    if lock is None:
        clear(data, run)
        lock = data.lock()
    if lock is None:
        raise _in_use(data)
    return lock


def _retry(take: Callable[[], Lock | None], seconds: float) -> Lock | None:
    deadline = time.monotonic() + seconds
    while (lock := take()) is None and time.monotonic() < deadline:
        time.sleep(_RETRY_EVERY_S)
    return lock


def _in_use(data: DataDirectory) -> StartRefused:
    run = data.last_run()
    user = "another service" if run is None else f"the service of process {run.pid} at {run.url}"
    return StartRefused(f"--data-dir: {data.path} is used by {user}; stop it or choose another directory")


def _has_token(process: psutil.Process, token: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(TOKEN_VARIABLE) == token
    except (psutil.Error, OSError):
        return False


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return
