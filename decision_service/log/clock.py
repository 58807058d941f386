"""The time of the service: the server's clock, or the latest time that a request has named."""

from __future__ import annotations

import time
from typing import Protocol

from decision_service.log.base import Head

WALL = "wall"
"""The mode in which the server's clock counts; in the other one, ``request``, requests name the time."""


class HasHead(Protocol):
    """What is needed of a log to know its time."""

    def head(self) -> Head: ...


class ServiceClock:
    """The clock that counts.

    Parameters
    ----------
    mode
        ``wall`` or ``request``.
    log
        In request mode its watermark is the latest time that a request has named.
    """

    def __init__(self, mode: str | None, log: HasHead) -> None:
        self.is_wall = mode == WALL
        self._log = log

    def now(self) -> float:
        """Return the time in epoch seconds.

        Raises
        ------
        LogUnavailable
            When the log cannot be read in request mode.
        """
        return time.time() if self.is_wall else max(self._log.head().watermark, 0.0)
