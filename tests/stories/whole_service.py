"""The whole service as an operator runs it (Ray Serve, HAProxy, Redis, SQLite), with two replicas."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import psutil
import yaml

from decision_service.runtime import leftovers
from tests.decision_service.runtime.started import Started
from tests.factories import DAY_S, small_document

START = datetime(2026, 11, 21, tzinfo=UTC)
CAP, WINDOW_S = 3, 2 * DAY_S


class WholeService(Started):
    """The real service on a request clock, with two replicas."""

    def __init__(self, data_dir: Path, temp_dir: Path) -> None:
        catalogue = data_dir.with_suffix(".yaml")
        catalogue.write_text(yaml.safe_dump(small_document(caps=[{"max": CAP, "window_s": int(WINDOW_S)}])))
        options = ["--clock", "request", "--replicas", "2", "--seed", "7", "--catalog", str(catalogue)]
        super().__init__(data_dir, temp_dir, serve=options)

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.run().url, timeout=30)

    def kill(self) -> None:
        """Kill every process of the run at once, as a power cut would."""
        processes = [*leftovers.find_processes(self.run().token), psutil.Process(self.process.pid)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=10)
        self.exit_code()


@contextmanager
def started_service(data_dir: Path, temp_dir: Path) -> Iterator[WholeService]:
    """Start the service, and stop it at the end where it still runs, also after a start that takes too long."""
    service = WholeService(data_dir, temp_dir)
    try:
        service.await_line("is ready")
        yield service
    finally:
        if service.process.poll() is None:
            service.signal_group(signal.SIGTERM)
