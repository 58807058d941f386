"""The position of the last committed row, in a small file beside the log.

SQLite drops rows without a word when its write-ahead log was damaged, cut or removed. Then this file still tells how
many rows there were. The number is written after a commit, and is not synced: after a power cut it may be some rows
behind the log, and it is never ahead of what was committed.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path

_DIGITS = 20


class CommittedPosition:
    """The number in the file. All processes that write the log share the file, and the highest number stays.

    Parameters
    ----------
    file
        Made at the first number. A file that cannot be written keeps nobody from writing the log.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._fd: int | None = None
        self._turn = threading.Lock()

    def read(self) -> int:
        """Return the number, 0 where there is none."""
        with suppress(OSError, ValueError):
            return int(self._file.read_bytes())
        return 0

    def advance(self, position: int) -> None:
        """Write a number, unless a higher one is there."""
        self._write(position, may_sink=False)

    def reset(self, position: int) -> None:
        """Write a number, also where a higher one is there."""
        self._write(position, may_sink=True)

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None

    def _write(self, position: int, *, may_sink: bool) -> None:
        with suppress(OSError), self._turn:
            if self._fd is None:
                self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            try:
                if may_sink or position > _parse(os.pread(self._fd, _DIGITS, 0)):
                    os.pwrite(self._fd, b"%0*d" % (_DIGITS, position), 0)
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)


def _parse(text: bytes) -> int:
    try:
        return int(text)
    except ValueError:  # a new file, or a damaged one
        return 0
