"""Makes snapshots of a running Redis when they are due."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress

from decision_service.runtime.snapshots.redis_command import CommandRefused
from decision_service.runtime.snapshots.schedule import RedisStatus, is_due
from decision_service.runtime.snapshots.snapshot_file import SnapshotFile

_LOOK_EVERY_S = 5.0
_MIB = 2**20

_logger = logging.getLogger(__name__)


class SnapshotKeeper:
    """Asks a Redis for a snapshot from time to time, and for the last one before the end.

    Redis has a schedule of its own, which is not used: it tries again every five seconds on a full disk, and each try
    takes the room that the log needs.

    Parameters
    ----------
    file
        Where the snapshot is.
    send
        Sends a command to the Redis, and returns the answer.
    clock
        Returns seconds that pass evenly.
    """

    def __init__(
        self, file: SnapshotFile, send: Callable[[str], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = file
        self._send = send
        self._clock = clock
        self._begun_at = self._looked_at = clock()
        self._failed = False

    def make_when_due(self) -> None:
        """Make a snapshot in the background if one is due; a Redis that does not answer is asked again later."""
        now = self._clock()
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        with suppress(OSError):
            status = RedisStatus.parse(self._send("INFO"))
            self._report(status)
            if is_due(status, now - self._begun_at):
                self._begun_at = now
                self._make(status)

    def needs_last(self) -> bool:
        """Return whether anything changed since the last snapshot, and the disk has room for one."""
        try:
            status = RedisStatus.parse(self._send("INFO"))
        except OSError:
            return False
        return status.changes > 0 and self._has_room(status)

    def _make(self, status: RedisStatus) -> None:
        if not self._has_room(status):
            return
        try:
            self._send("BGSAVE")
        except CommandRefused as refusal:
            self._warn(str(refusal))

    def _has_room(self, status: RedisStatus) -> bool:
        free = self._file.free_room()
        if free < status.needs_room:
            self._warn(f"the disk has {free // _MIB} MiB left, and {status.needs_room // _MIB} MiB must be free")
        return free >= status.needs_room

    def _report(self, status: RedisStatus) -> None:
        """Say once that the last snapshot failed."""
        if status.has_failed and not self._failed:
            self._warn("see logs/redis.log")
        self._failed = status.has_failed

    def _warn(self, reason: str) -> None:
        _logger.warning("no snapshot of the states was made (%s): the next start folds more rows of the log", reason)
