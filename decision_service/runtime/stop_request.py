"""The wish to stop, as it arrives by signal."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(BaseException):
    """A stop was asked for while the service started; like KeyboardInterrupt, no error."""


class StopRequest:
    """Waits for a signal that asks to stop; before that, such a signal interrupts the start.

    The handler only writes into a pipe, or raises: a lock taken in a handler could be held by the very
    code that it interrupted.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._starting = True

    def install(self) -> None:
        """Handle the signals here, again where a library has put its own handler."""
        for number in _SIGNALS:
            signal.signal(number, self._handle)

    def wait(self, seconds: float) -> bool:
        """Wait that long at most; return whether a stop was asked for. The start is over."""
        self._starting = False
        readable, _, _ = select.select([self._reader], [], [], seconds)
        return bool(readable)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        os.write(self._writer, b"x")
        if self._starting:
            self._starting = False
            raise Stopped
