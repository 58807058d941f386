"""Start a service as a user does, by default on new data, and stop it cleanly."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_URL_LINE_PREFIX = "  API "
"""The line of the service's output that begins so ends with the URL of the API. The service prints it when ready."""

_STOPS_WITHIN_S = 60


class NotStarted(RuntimeError):
    """The service did not start; the message is what the service printed."""


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
        process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            url = _await_url(process)
            threading.Thread(target=_drain, args=(process,), daemon=True).start()
            yield url
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
