"""A running service of a benchmark's own: started as a user starts it, on new data, stopped cleanly."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_API = "  API "
_STOPS_WITHIN_S = 60


class NotStarted(RuntimeError):
    """The service did not start; the text is what it said."""


@contextmanager
def running(*options: str, data_dir: Path | None = None) -> Iterator[str]:
    """Run ``decision-service serve`` with options on a free port; give its URL.

    Its data are new, and gone afterwards unless ``data_dir`` says where to keep them.

    Raises
    ------
    NotStarted
        When it ends before it is ready.
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
    said: list[str] = []
    for line in process.stdout or ():
        said.append(line)
        if line.startswith(_API):
            return line.split()[-1]
    raise NotStarted("".join(said))


def _drain(process: subprocess.Popen[str]) -> None:
    """Read on, so that a service with much to say is never stopped by a full pipe."""
    for _ in process.stdout or ():
        pass
