"""The process that runs Ray (the driver): its configuration, its messages, and how the supervisor starts and ends it.

The supervisor writes one :class:`DriverConfig` to the driver's standard input. The driver answers with messages,
one line of JSON each, on an inherited file descriptor.
"""

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
from decision_service.runtime.data_directory import DataDirectory, RunRecord
from decision_service.runtime.ingress.identity import identity_of
from decision_service.runtime.leftovers import TOKEN_VARIABLE
from decision_service.runtime.ports import Ports
from decision_service.runtime.runtime_directory import RuntimeDirectory
from decision_service.runtime.start import limits

_TEXT_IS_UTF8 = {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}
"""Names of files, logs and catalogues are UTF-8 in every process, whatever the locale."""


class DriverConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a driver needs to start the service.

    Attributes
    ----------
    settings
        The settings as JSON.
    application
        ``module:function`` of the function that builds the Serve application from the settings.
    token
        The run's token.
    runtime_directory
        Path of the directory with this run's sockets.
    ports
        The ports to listen on.
    identity
        The identity of this run.
    messages_fd, lock_fd
        Inherited file descriptors: the pipe for the driver's messages, and the lock of the data directory.
    """

    settings: str
    application: str
    token: str
    runtime_directory: str
    ports: Ports
    identity: str
    messages_fd: int
    lock_fd: int


class ProgressMessage(msgspec.Struct, frozen=True, tag="progress"):
    """A step that takes a while has begun."""

    text: str


class ReadyMessage(msgspec.Struct, frozen=True, tag="ready"):
    """The application answers requests."""


class FailureMessage(msgspec.Struct, frozen=True, tag="failed"):
    """The service cannot run."""

    reason: str


DriverMessage = ProgressMessage | ReadyMessage | FailureMessage


class DriverProcess:
    """A driver process from its start to its end.

    Parameters
    ----------
    config
        The driver's configuration. Its ``messages_fd`` is closed here once the driver has inherited it.
    environ
        The complete environment of the process.
    data
        The driver runs in this directory and writes its output to the service log there.
    """

    def __init__(self, config: DriverConfig, environ: dict[str, str], data: DataDirectory) -> None:
        with data.service_log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "decision_service.runtime.driver"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environ,
                cwd=data.path,  # Ray's workers can import from the directory in which Ray was started
                pass_fds=(config.messages_fd, config.lock_fd),
                start_new_session=True,
            )
        os.close(config.messages_fd)
        with suppress(BrokenPipeError):  # the driver has died already: reading its messages gives end-of-file
            self._write_stdin(msgspec.json.encode(config) + b"\n")

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def terminate(self) -> None:
        """Ask the driver to stop (SIGTERM), and return at once."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill the driver (SIGKILL), and return at once."""
        self._process.kill()

    def wait(self) -> int:
        """Wait until the driver has ended, and return its exit code: negative when a signal ended it."""
        return self._process.wait()

    def kill_and_wait(self) -> None:
        """Kill the driver if it still runs, wait until it has ended, and close its standard input."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def _write_stdin(self, text: bytes) -> None:
        # We do not close stdin: the driver stops when it closes.
        if self._process.stdin is not None:
            self._process.stdin.write(text)
            self._process.stdin.flush()


def read_messages(reader: int) -> Iterator[DriverMessage]:
    """Yield the driver's messages until the driver ends."""
    with os.fdopen(reader, "rb") as lines:
        for line in lines:
            yield msgspec.json.decode(line, type=DriverMessage)


def build_environment(runtime: RuntimeDirectory, ports: Ports, run: RunRecord) -> dict[str, str]:
    """Return the driver's environment: this process's environment, Ray's settings, and the run's token.

    The driver's processes inherit the token, by which leftover processes are found (see `leftovers`). No variable of
    Ray is inherited: Ray belongs to the service, and a variable for another Ray (its address, TLS, proxies, runtime
    environments, resources) can make the start wait for ever.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    ray_settings = ray_cluster.build_environment(runtime, ports, identity_of(run.token))
    ray_settings["RAY_SERVE_HAPROXY_MAXCONN"] = str(limits.count_connections())
    return inherited | _import_path(inherited) | _TEXT_IS_UTF8 | ray_settings | {TOKEN_VARIABLE: run.token}


def _import_path(inherited: dict[str, str]) -> dict[str, str]:
    root = str(Path(decision_service.__file__).parents[1])
    # An installed package lies in site-packages ("purelib"), where the driver's Python finds it without help.
    if root == sysconfig.get_path("purelib"):
        return {}
    # This service is running from a checkout: put it on the path, so that the driver imports the same files.
    paths = [root, *filter(None, [inherited.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}
