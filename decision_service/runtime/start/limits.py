"""The limits that the system sets to a process (``ulimit``), and which all processes of the service inherit."""

from __future__ import annotations

import resource
from collections.abc import Callable

from decision_service.runtime.errors import StartRefused

_MIB = 2**20
_LEAST_OPEN_FILES = 1024
_LEAST_FILE_SIZE = 256 * _MIB
_MOST_CONNECTIONS = 4096
_FILES_OF_HAPROXY = 100
"""Open files of HAProxy beside those of its connections."""

_FILES_PER_CONNECTION = 2.5
"""A connection of a client, one to a replica, and for every fourth connection a pipe with two ends."""

_NAMES = {
    "RLIMIT_AS": "ulimit -v",
    "RLIMIT_CPU": "ulimit -t",
    "RLIMIT_DATA": "ulimit -d",
    "RLIMIT_FSIZE": "ulimit -f",
    "RLIMIT_NOFILE": "ulimit -n",
    "RLIMIT_NPROC": "ulimit -u",
}


def raise_limits(say: Callable[[str], None]) -> None:
    """Raise the limits of this process as far as permitted, and say which of them the service will feel.

    Raises
    ------
    StartRefused
        When Ray could not start under a limit.
    """
    open_files, file_size = _raise(resource.RLIMIT_NOFILE), _raise(resource.RLIMIT_FSIZE)
    if open_files < _LEAST_OPEN_FILES:
        raise StartRefused(
            f"ulimit -n: a process may open {open_files} files, and the service needs {_LEAST_OPEN_FILES}; "
            f"raise the limit (ulimit -n {_LEAST_OPEN_FILES}, or LimitNOFILE= of systemd)"
        )
    if file_size < _LEAST_FILE_SIZE:
        raise StartRefused(
            f"ulimit -f: a file may have {file_size // _MIB} MiB, and Ray needs one of more than 100 MiB; "
            "lift the limit (ulimit -f unlimited, or LimitFSIZE=infinity of systemd)"
        )
    if (most := count_connections(open_files)) < _MOST_CONNECTIONS:
        say(f"At most {most} connections at once, since a process may open {open_files} files (ulimit -n)")
    if file_size != _to_number(resource.RLIM_INFINITY):
        say(f"The log cannot grow beyond {file_size // _MIB} MiB, the limit of a file (ulimit -f)")


def count_connections(open_files: float | None = None) -> int:
    """Return how many connections the ingress can hold.

    Parameters
    ----------
    open_files
        Files that a process may open; None for the limit of this process.

    Examples
    --------
    >>> count_connections(4096), count_connections(1_000_000)
    (1598, 4096)
    """
    limit = _to_number(resource.getrlimit(resource.RLIMIT_NOFILE)[0]) if open_files is None else open_files
    return int(min(_MOST_CONNECTIONS, (limit - _FILES_OF_HAPROXY) / _FILES_PER_CONNECTION))


def describe_limits() -> str:
    """Return the limits that are set, in the words of the shell: ``ulimit -n 4096``; empty for none."""
    limits = ((shell, resource.getrlimit(getattr(resource, name))[0]) for name, shell in _NAMES.items())
    return ", ".join(f"{shell} {limit}" for shell, limit in limits if limit != resource.RLIM_INFINITY)


def _raise(limit: int) -> float:
    _, hard = resource.getrlimit(limit)
    resource.setrlimit(limit, (hard, hard))
    return _to_number(hard)


def _to_number(limit: int) -> float:
    return float("inf") if limit == resource.RLIM_INFINITY else limit
