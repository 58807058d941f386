"""The time of the service: the time of the server, or the latest time that a request has named."""

from __future__ import annotations

import time
from typing import Protocol

from decision_service.log.base import Head

WALL = "wall"
"""The mode in which the clock of the server decides the time; in the mode ``request``, requests name the time."""

CLOCK_FACT = "clock"
"""The name of the fact, stored with the log, that holds the mode of its clock."""


class HasHead(Protocol):
    """The part of a log that the clock needs: its head, which is the state of the log after its last row."""

    def head(self) -> Head: ...


class ServiceClock:
    """The clock that decides the time of a request that names no time.

    Parameters
    ----------
    mode
        ``wall`` or ``request``. None is taken as ``request``: the log has no stored mode.
    log
        Read in request mode only. The watermark of its head is the maximum of the times of all rows, which is the
        latest time that a request has named.
    """

    def __init__(self, mode: str | None, log: HasHead) -> None:
        self.is_wall = mode == WALL
        self._log = log

    def lead(self, head: Head) -> float:
        """Return by how many seconds the time of the log is ahead of the clock; 0 in request mode."""
        return max(head.watermark - time.time(), 0.0) if self.is_wall else 0.0

    def now(self) -> float:
        """Return the time in epoch seconds; in request mode 0 for an empty log.

        Raises
        ------
        LogUnavailable
            When the log cannot be read in request mode.
        """
        return time.time() if self.is_wall else max(self._log.head().watermark, 0.0)
