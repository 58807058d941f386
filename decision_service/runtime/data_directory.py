"""The directory of everything that lasts, and the proof that one service alone uses it.

The file ``service.lock`` is locked (``flock``) as long as the service or what is left of it runs, and holds
the record of that run: enough to find and end what a killed service left behind.  The kernel releases the
lock when its last holder dies, so a stale file never blocks a start.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from decision_service.runtime.errors import StartRefused


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What a running service records in its data directory.

    Attributes
    ----------
    token
        Random mark that every process of this run carries in its environment.
    home
        Device and inode of the data directory: a copied directory must not claim the original's processes.
    runtime
        Path of the run's private directory of sockets.
    pid, started_at
        The supervisor, as the operating system knows it.
    url
        Where it answers.
    """

    token: str
    home: str
    runtime: str
    pid: int
    started_at: float
    url: str

    def is_alive(self) -> bool:
        """Return whether the recorded supervisor still runs (and its number was not given to another)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@dataclass(frozen=True)
class Hold:
    """A held lock: the file descriptor keeps it, wherever it is inherited."""

    fd: int

    def write(self, run: Run) -> None:
        """Record the run."""
        text = msgspec.json.encode(run)
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text, 0)

    def forget(self) -> None:
        """Record that nothing is left to clear."""
        os.ftruncate(self.fd, 0)

    def release(self) -> None:
        """Let go of the lock, unless a child still holds it."""
        os.close(self.fd)


@dataclass(frozen=True)
class DataDirectory:
    """A data directory by its absolute path."""

    path: Path

    @property
    def logs(self) -> Path:
        """Where every process of the service writes what it has to say."""
        return self.path / "logs"

    @property
    def service_log(self) -> Path:
        """What the service and Ray print."""
        return self.logs / "service.log"

    @property
    def identity(self) -> str:
        """Device and inode, which a copy does not share."""
        status = self.path.stat()
        return f"{status.st_dev}:{status.st_ino}"

    def prepare(self) -> None:
        """Make the directory and its logs, for their owner only.

        Raises
        ------
        StartRefused
            When it cannot be made or written to.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StartRefused(f"--data-dir: cannot use {self.path}: {error.strerror}") from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise StartRefused(f"--data-dir: cannot write into {self.path}")

    def last_run(self) -> Run | None:
        """Return the record of the run that holds, or last held, this very directory; None without one."""
        try:
            run = msgspec.json.decode((self.path / "service.lock").read_bytes(), type=Run)
        except (OSError, msgspec.DecodeError):
            return None
        return run if run.home == self.identity else None

    def hold(self) -> Hold | None:
        """Lock the directory for one service; None when another process holds it."""
        fd = os.open(self.path / "service.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return Hold(fd)

    def rotate_log(self) -> None:
        """Keep the service log of the run before as ``service.log.1``."""
        with suppress(FileNotFoundError):
            self.service_log.replace(self.service_log.with_suffix(".log.1"))

    def keep_logs(self, source: Path) -> None:
        """Move a run's Ray logs to ``logs/ray``, in the place of those of the run before."""
        if not source.is_dir():
            return
        target = self.logs / "ray"
        shutil.rmtree(target, ignore_errors=True)
        with suppress(OSError):  # a file that vanished meanwhile must not keep the rest from being cleared
            shutil.move(source, target)
