"""Start a service as a user does, by default on new data, and stop it cleanly."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_URL_LINE_PREFIX = "  API "
"""The line of the service's output that begins so ends with the URL of the API. The service prints it when ready."""

_STOPS_WITHIN_S = 60


class NotStarted(RuntimeError):
    """The service did not start; the message is what the service printed."""


@dataclass(frozen=True)
class RunningService:
    """A service that is ready: its URL, and the process from which all its other processes descend."""

    url: str
    pid: int


@contextmanager
def run_service(*options: str, data_dir: Path | None = None) -> Iterator[str]:
    """Run ``decision-service serve`` with options on a free port; yields its URL.

    The data directory is temporary unless ``data_dir`` names one.

    Raises
    ------
    NotStarted
        When the service ends before it is ready.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        data = data_dir or Path(directory) / "data"
        command = [sys.executable, "-m", "decision_service", "serve", "--port", "0", "--data-dir", str(data)]
        with run_command([*command, *options]) as service:
            yield service.url


@contextmanager
def run_command(command: Sequence[str], directory: Path | None = None) -> Iterator[RunningService]:
    """Run a command that starts a service, in a directory; yields the service.

    Raises
    ------
    NotStarted
        When the service ends before it is ready.
    """
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=directory)
    try:
        url = _await_url(process)
        threading.Thread(target=_drain, args=(process,), daemon=True).start()
        yield RunningService(url, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=_STOPS_WITHIN_S)


def _await_url(process: subprocess.Popen[str]) -> str:
    output: list[str] = []
    for line in process.stdout or ():
        output.append(line)
        if line.startswith(_URL_LINE_PREFIX):
            return line.split()[-1]
    raise NotStarted("".join(output))


def _drain(process: subprocess.Popen[str]) -> None:
    """Read the output to its end: the service would block when the pipe is full."""
    for _ in process.stdout or ():
        pass
