"""Processes that a service left behind: found by a mark in their environment, ended by number.

Every process of a run inherits the variable ``DECISION_SERVICE_RUN`` with the run's random token. Only a
process that carries the very token recorded in the data directory is ours; nothing else is touched.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

import psutil

MARK = "DECISION_SERVICE_RUN"


def marked(token: str, *, sparing: Collection[int] = ()) -> list[psutil.Process]:
    """Return the living processes of the run with this token, but not this one, its parents, nor the spared.

    Processes whose environment this user may not read are not ours.
    """
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents()), *sparing}
    return [process for process in psutil.process_iter() if process.pid not in spared and _carries(process, token)]


def end(processes: Iterable[psutil.Process], *, patience_s: float = 5.0) -> None:
    """Ask each process to terminate, wait, and kill what is still there.

    psutil compares start times first, so a number that went to another process meanwhile is left alone.
    """
    ended = list(processes)
    for process in ended:
        _signal(process, kill=False)
    _, stubborn = psutil.wait_procs(ended, timeout=patience_s)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=patience_s)


def _carries(process: psutil.Process, token: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == token
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
