"""The driver as its supervisor sees it: launched, listened to, asked to stop, killed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

import decision_service
from decision_service.runtime import ray_cluster
from decision_service.runtime.data_directory import DataDirectory, Run
from decision_service.runtime.messages import Event, Order
from decision_service.runtime.orphans import MARK
from decision_service.runtime.ports import Ports
from decision_service.runtime.runtime_directory import RuntimeDirectory


class DriverProcess:
    """A driver from its launch to its end.

    Parameters
    ----------
    order
        What it shall do; its ``events`` descriptor is closed here once the driver has it.
    environ
        Its whole environment.
    data
        Where its output goes and where it runs.
    """

    def __init__(self, order: Order, environ: dict[str, str], data: DataDirectory) -> None:
        with data.service_log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "decision_service.runtime.driver"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environ,
                cwd=data.path,  # Ray lets its workers import from where it is started
                pass_fds=(order.events, order.lock),
                start_new_session=True,
            )
        os.close(order.events)
        with suppress(BrokenPipeError):  # it has died already; the events will end at once
            self._send(msgspec.json.encode(order) + b"\n")

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def wait(self) -> int:
        """Wait for its end; return its exit code, negative for a signal."""
        return self._process.wait()

    def end(self) -> None:
        """Make sure that it does not run."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def _send(self, text: bytes) -> None:
        if self._process.stdin is not None:  # stays open: its end would tell the driver to stop
            self._process.stdin.write(text)
            self._process.stdin.flush()


def events(reader: int) -> Iterator[Event]:
    """Yield what the driver tells until its end."""
    with os.fdopen(reader, "rb") as lines:
        for line in lines:
            yield msgspec.json.decode(line, type=Event)


def environment(runtime: RuntimeDirectory, ports: Ports, run: Run) -> dict[str, str]:
    """Return the driver's environment: this process's, Ray's settings, and the run's mark."""
    inherited = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return inherited | _import_path(inherited) | ray_cluster.environment(runtime, ports) | {MARK: run.token}


def _import_path(inherited: dict[str, str]) -> dict[str, str]:
    root = str(Path(decision_service.__file__).parents[1])
    if root == sysconfig.get_path("purelib"):
        return {}
    paths = [root, *filter(None, [inherited.get("PYTHONPATH")])]  # a checkout: import the same files
    return {"PYTHONPATH": os.pathsep.join(paths)}
