"""The service under a fault: started as a user starts it, with its processes at hand."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.running_service import NotStarted
from decision_service.runtime import leftovers
from decision_service.runtime.data_directory import DataDirectory, RunRecord

_READY_WITHIN_S = 300.0
_STOPS_WITHIN_S = 60.0


class FaultyService:
    """One service on a data directory.

    Parameters
    ----------
    data_dir
        The data directory.
    options
        Options of ``decision-service serve``.
    """

    def __init__(self, data_dir: Path, *options: str) -> None:
        self._data = DataDirectory(data_dir)
        self._output: list[str] = []
        self._ready = threading.Event()
        serve = [sys.executable, "-m", "decision_service", "serve", "--port", "0", "--data-dir", str(data_dir)]
        self.process = subprocess.Popen(
            [*serve, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def output(self) -> str:
        """What the service has printed."""
        return "".join(self._output)

    def wait_until_ready(self, within_s: float = _READY_WITHIN_S) -> str:
        """Wait until the service says that it is ready, and return its URL."""
        deadline = time.monotonic() + within_s
        while not self._ready.wait(0.05):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise NotStarted(self.output)
        return self.run().url

    def wait_until_begun(self) -> str:
        """Wait until the service has claimed its data directory, and return the URL at which it will answer."""
        deadline = time.monotonic() + _READY_WITHIN_S
        while (run := self._data.last_run()) is None or run.pid != self.process.pid:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise NotStarted(self.output)
            time.sleep(0.01)
        return run.url

    def run(self) -> RunRecord:
        """Return the record of this run."""
        run = self._data.last_run()
        if run is None:
            raise NotStarted(self.output)
        return run

    def find(self, part: str) -> list[psutil.Process]:
        """Return the processes of this run whose name or command line contains a text."""
        return [process for process in leftovers.find_processes(self.run().token) if part in _describe(process)]

    def stop(self) -> None:
        """Stop the service, by force if it does not end in time."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._output.append(line)
            if "is ready" in line:
                self._ready.set()


@contextmanager
def run_faulty(data_dir: Path, *options: str) -> Iterator[FaultyService]:
    """Start a service, yield it at once, and stop it at the end."""
    service = FaultyService(data_dir, *options)
    try:
        yield service
    finally:
        service.stop()


def _describe(process: psutil.Process) -> str:
    try:
        return " ".join([process.name(), *process.cmdline()])
    except psutil.Error:
        return ""
