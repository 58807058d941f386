"""The data directory, and the lock by which a single service uses it.

The file ``service.lock`` is locked (``flock``) as long as any process of the service runs. The file holds the record
of that run, so that the next start can find and end the processes that a killed service left. The kernel releases the
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


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a running service in its data directory.

    Attributes
    ----------
    token
        Random text that every process of this run has in its environment.
    home
        Device and inode of the data directory. The record in a copied directory is not valid: the processes that it
        names belong to the original.
    runtime
        Path of the run's runtime directory, which holds its sockets.
    pid, started_at
        Process id and start time of the supervisor.
    url
        Address of the HTTP API.
    """

    token: str
    home: str
    runtime: str
    pid: int
    started_at: float
    url: str

    def is_alive(self) -> bool:
        """Return whether the supervisor still runs; a later process with the same id does not count."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@dataclass(frozen=True)
class DirectoryLock:
    """The lock of a data directory. Every process that inherits the file descriptor holds the lock."""

    fd: int

    def write_record(self, run: RunRecord) -> None:
        text = msgspec.json.encode(run)
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text, 0)

    def erase_record(self) -> None:
        """Erase the record of the run, since nothing is left to clear."""
        os.ftruncate(self.fd, 0)

    def release(self) -> None:
        """Release the lock here; a child process that inherited the descriptor holds it on."""
        os.close(self.fd)


@dataclass(frozen=True)
class DataDirectory:
    """A data directory: the log, the models, the lock and the log files of one service."""

    path: Path

    @property
    def logs(self) -> Path:
        """Directory of the log files of all processes."""
        return self.path / "logs"

    @property
    def service_log(self) -> Path:
        """File with the output of the driver and of Ray, and the warnings and errors of all processes."""
        return self.logs / "service.log"

    @property
    def serve_logs(self) -> Path:
        """Directory of the log files of Ray Serve: controller, ingress, replicas, learner."""
        return self.logs / "serve"

    @property
    def identity(self) -> str:
        """Device and inode of the directory; a copy has others."""
        status = self.path.stat()
        return f"{status.st_dev}:{status.st_ino}"

    def prepare(self) -> None:
        """Make the directory and its directory of log files, readable by their owner only.

        Raises
        ------
        StartRefused
            When the directory cannot be made or written to.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StartRefused(f"--data-dir: cannot use {self.path}: {error.strerror}") from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise StartRefused(f"--data-dir: cannot write into {self.path}")

    def last_run(self) -> RunRecord | None:
        """Return the record of the run that uses or last used this directory, or None."""
        try:
            run = msgspec.json.decode((self.path / "service.lock").read_bytes(), type=RunRecord)
        except (OSError, msgspec.DecodeError):
            return None
        return run if run.home == self.identity else None

    def lock(self) -> DirectoryLock | None:
        """Lock the directory; return None when another process holds the lock."""
        fd = os.open(self.path / "service.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return DirectoryLock(fd)

    def rotate_log(self) -> None:
        """Rename the service log of the previous run to ``service.log.1``, and Serve's directory to ``serve.1``."""
        with suppress(FileNotFoundError):
            self.service_log.replace(self.service_log.with_suffix(".log.1"))
        earlier = self.serve_logs.with_suffix(".1")
        shutil.rmtree(earlier, ignore_errors=True)
        with suppress(FileNotFoundError):
            self.serve_logs.replace(earlier)

    def keep_logs(self, source: Path) -> None:
        """Move a run's Ray logs to ``logs/ray``, and delete those of the previous run."""
        if not source.is_dir():
            return
        target = self.logs / "ray"
        shutil.rmtree(target, ignore_errors=True)
        with suppress(OSError):  # a file may vanish meanwhile; the caller must still clear the rest
            shutil.move(source, target)
