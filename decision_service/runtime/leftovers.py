"""Claim a data directory for one service, and clear what a killed run left there.

Every process of a run inherits the environment variable ``DECISION_SERVICE_RUN`` with the run's random token. Only
processes that carry the token recorded in the data directory are ended; no other process is touched.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from decision_service.runtime.data_directory import DataDirectory, DirectoryLock, RunRecord
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.runtime_directory import RuntimeDirectory

TOKEN_VARIABLE = "DECISION_SERVICE_RUN"

_KILLED_RUN_ENDS_WITHIN_S = 15.0
_RETRY_EVERY_S = 0.1


def claim(data: DataDirectory, say: Callable[[str], None]) -> DirectoryLock:
    """Lock the data directory, and clear what the last run left if that run was killed.

    A killed service may hold the lock for some seconds until its last process has ended. This function waits for
    that, and then ends the processes that remain.

    Parameters
    ----------
    say
        Shows a line to the person who started the service.

    Raises
    ------
    StartRefused
        When a service runs on the directory. The message names the process of that service.
    """
    lock = data.lock() or _take_over(data, say)
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
    processes = find_processes(run.token)
    end_processes(processes, patience_s=patience_s)
    runtime = RuntimeDirectory(Path(run.runtime))
    if runtime.belongs_to(run.token):
        data.keep_logs(runtime.ray_logs)
        runtime.remove()
    return len(processes)


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


def _take_over(data: DataDirectory, say: Callable[[str], None]) -> DirectoryLock:
    run = data.last_run()
    if run is None or run.is_alive():
        raise _in_use(data)
    say("A killed run on this data directory is still stopping; waiting for it …")
    deadline = time.monotonic() + _KILLED_RUN_ENDS_WITHIN_S
    while time.monotonic() < deadline:
        if (lock := data.lock()) is not None:
            return lock
        time.sleep(_RETRY_EVERY_S)
    clear(data, run)
    lock = data.lock()
    if lock is None:
        raise _in_use(data)
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
