"""The data directory, and the locks by which a single service uses it.

Two files are locked (``flock``). The supervisor alone locks ``supervisor.lock``. The supervisor and the driver lock
``service.lock``, which holds the record of their run, so that the next start can find and end the processes that a
killed service left. The kernel releases a lock when its last holder dies, so a stale file never blocks a start.

Who holds a lock is the only sign that a service lives. Process ids and start times are no sign: ids are used again,
and a start time changes when somebody sets the clock.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from decision_service.runtime.errors import StartRefused

_OWN_IT = "change the owner (chown -R), or choose another directory"


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
    pid
        Process id of the supervisor, for messages.
    url
        Address of the HTTP API.
    locks_supervisor
        Whether the supervisor of this run holds ``supervisor.lock``. Versions before did not.
    """

    token: str
    home: str
    runtime: str
    pid: int
    url: str
    locks_supervisor: bool = False


@dataclass(frozen=True)
class DirectoryLock:
    """The lock of a data directory.

    Attributes
    ----------
    fd
        Descriptor of ``service.lock``. Every process that inherits the descriptor holds the lock.
    supervisor_fd
        Descriptor of ``supervisor.lock``, which no process inherits; None in the driver.
    """

    fd: int
    supervisor_fd: int | None = None

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
        if self.supervisor_fd is not None:
            os.close(self.supervisor_fd)


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
    def redis_log(self) -> Path:
        """File with the output of the embedded Redis."""
        return self.logs / "redis.log"

    @property
    def redis(self) -> Path:
        """Directory of the snapshot of the embedded Redis."""
        return self.path / "redis"

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
        """Make the directory and those in it, readable by their owner only.

        Raises
        ------
        StartRefused
            When the directory cannot be made or written to, or has a file that another user left.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for directory in (self.logs, self.redis):
                directory.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StartRefused(f"--data-dir: cannot use {self.path}: {error.strerror}") from error
        for directory in (self.path, self.logs, self.redis):
            _check_access(directory, *directory.iterdir())

    def last_run(self) -> RunRecord | None:
        """Return the record of the run that uses or last used this directory, or None."""
        try:
            run = msgspec.json.decode((self.path / "service.lock").read_bytes(), type=RunRecord)
        except (OSError, msgspec.DecodeError):
            return None
        return run if run.home == self.identity else None

    def lock(self) -> DirectoryLock | None:
        """Lock ``service.lock``; return None when a process of a service holds the lock.

        Raises
        ------
        StartRefused
            When the file system knows no locks, or when the file cannot be opened.
        """
        fd = self._lock("service.lock")
        return None if fd is None else DirectoryLock(fd)

    def lock_supervisor(self) -> int | None:
        """Lock ``supervisor.lock`` and return its descriptor; None when a supervisor holds the lock.

        Raises
        ------
        StartRefused
            When the file system knows no locks, or when the file cannot be opened.
        """
        return self._lock("supervisor.lock")

    @property
    def is_in_use(self) -> bool:
        """Whether a process of a service holds ``service.lock``."""
        lock = self.lock()
        if lock is not None:
            lock.release()
        return lock is None

    @property
    def has_supervisor(self) -> bool:
        """Whether a supervisor holds ``supervisor.lock``."""
        fd = self.lock_supervisor()
        if fd is not None:
            os.close(fd)
        return fd is None

    def _lock(self, name: str) -> int | None:
        path = self.path / name
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StartRefused(f"--data-dir: cannot open {path}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except OSError as error:
            os.close(fd)
            raise StartRefused(
                f"--data-dir: cannot lock {path}: {error.strerror}; choose a directory on a local disk"
            ) from error
        return fd

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


def _check_access(*paths: Path) -> None:
    for path in paths:
        needed = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
        if not os.access(path, needed):
            raise StartRefused(f"--data-dir: cannot write {path}, which belongs to {_owner(path)}: {_OWN_IT}")


def _owner(path: Path) -> str:
    try:
        return f"the user {path.owner()}"
    except KeyError:  # a user without a name
        return f"the user {path.stat().st_uid}"
