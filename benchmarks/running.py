"""A running service of a benchmark's own: started as a user starts it, on new data, stopped cleanly."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_API = "  API "
_STOPS_WITHIN_S = 60


class NotStarted(RuntimeError):
    """The service did not start; the text is what it said."""


@contextmanager
def running(*options: str) -> Iterator[str]:
    """Run ``decision-service serve`` with options on a new data directory and a free port; give its URL.

    Raises
    ------
    NotStarted
        When it ends before it is ready.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        data_dir = Path(directory) / "data"
        command = [sys.executable, "-m", "decision_service", "serve", "--port", "0", "--data-dir", str(data_dir)]
        process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            yield _await_url(process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=_STOPS_WITHIN_S)


def _await_url(process: subprocess.Popen[str]) -> str:
    said: list[str] = []
    for line in process.stdout or ():
        said.append(line)
        if line.startswith(_API):
            return line.split()[-1]
    raise NotStarted("".join(said))
