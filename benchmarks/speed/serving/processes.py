"""The CPU time of a service by the role of its processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psutil

ROLES = ("replica", "HAProxy", "proxy", "Redis", "learner", "Ray")
_SIGNS = {
    "replica": "ServeReplica:decision-service:replica",
    "learner": "ServeReplica:decision-service:learner",
    "HAProxy": "/haproxy ",
    "proxy": "ray::ProxyActor",
    "Redis": "redis-server",
}
"""Role → what stands in the command line of its processes; every other process is Ray's."""

Read = TypeVar("Read")
Spent = dict[str, float]
"""Role → CPU seconds."""

_MAY_END = ("Ray", "HAProxy")
_BUSY = ("replica", "learner", "Redis")
_CALM = 0.12
"""A service is calm while these processes use a smaller share of a core: they look at the log now and then."""

_LOOKS_S = 0.25


def role_of(command_line: str) -> str:
    """Return the role of a process.

    >>> role_of("ray::ServeReplica:decision-service:replica"), role_of("/x/haproxy -db -f c"), role_of("raylet --x")
    ('replica', 'HAProxy', 'Ray')
    """
    return next((role for role, sign in _SIGNS.items() if sign in f"{command_line} "), "Ray")


class ProcessDied(RuntimeError):
    """A process of the service that is measured died."""


class ServiceProcesses:
    """All processes of a service.

    Parameters
    ----------
    pid
        The process from which the others descend.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._roles: dict[psutil.Process, str] = {}
        self._cpu_s: dict[psutil.Process, float] = {}
        """What each process had used when it was seen last."""
        self._look()

    def _look(self) -> None:
        """Find processes that have begun: Serve replaces HAProxy where its configuration changes."""
        for process in [self._root, *self._root.children(recursive=True)]:
            if process not in self._roles and (command := _read("Ray", process.cmdline)) is not None:
                self._roles[process] = role_of(" ".join(command))

    def cpu_s(self) -> Spent:
        """Return the CPU time so far by role, with that of Redis's forks once they have ended."""
        self._look()
        spent = dict.fromkeys(ROLES, 0.0)
        for process, role in self._roles.items():
            if (times := _read(role, process.cpu_times)) is not None:
                forks = times.children_user + times.children_system if role == "Redis" else 0.0
                self._cpu_s[process] = times.user + times.system + forks
            spent[role] += self._cpu_s.get(process, 0.0)
        return spent

    def memory_mb(self) -> dict[str, float]:
        """Return the resident memory by role, in MiB."""
        held = dict.fromkeys(ROLES, 0.0)
        for process, role in self._roles.items():
            if (memory := _read(role, process.memory_info)) is not None:
                held[role] += memory.rss / 2**20
        return held

    def wait_until_calm(self, within_s: float) -> Spent:
        """Wait until the work that a load left is done, at most so long; return the CPU time so far."""
        deadline, before = time.monotonic() + within_s, self.cpu_s()
        while True:
            time.sleep(_LOOKS_S)
            after = self.cpu_s()
            if _is_calm(before, after) or time.monotonic() > deadline:
                return after
            before = after


def _read(role: str, look: Callable[[], Read]) -> Read | None:
    """Return what a process says of itself, None for a helper of Ray or a HAProxy that has ended."""
    try:
        return look()
    except psutil.NoSuchProcess as error:
        if role not in _MAY_END:
            raise ProcessDied(
                f"the process of {role} died in the middle of a run: was the machine too busy?"
            ) from error
        return None


def _is_calm(before: Spent, after: Spent) -> bool:
    return sum(after[role] - before[role] for role in _BUSY) < _CALM * _LOOKS_S
