"""The process that runs Ray, in a session of its own: ``python -m decision_service.runtime.driver``.

The driver reads its :class:`~decision_service.runtime.driver_process.DriverConfig` from standard input. The supervisor
keeps that pipe open as long as it lives. The driver stops when the pipe ends, as it does on SIGTERM.
"""

from __future__ import annotations

import importlib
import logging
import os
import select
import signal
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import msgspec

from decision_service.runtime import leftovers
from decision_service.runtime.data_directory import DataDirectory, DirectoryLock
from decision_service.runtime.driver_process import (
    DriverConfig,
    DriverMessage,
    FailureMessage,
    ProgressMessage,
    ReadyMessage,
)
from decision_service.runtime.embedded_redis import EmbeddedRedis
from decision_service.runtime.errors import ServiceDied, StartRefused
from decision_service.runtime.ray_cluster import RayCluster
from decision_service.runtime.runtime_directory import RuntimeDirectory
from decision_service.runtime.start import stores
from decision_service.runtime.start.damage import look_for_damage
from decision_service.runtime.start.deadline import describe_start, end_after
from decision_service.settings import Settings

if TYPE_CHECKING:
    from ray.serve import Application

_CHECK_EVERY_S = 0.5
_RAY_STARTS_WITHIN_S = 180.0
"""Ten times as long as Ray takes; on a machine under heavy load Ray took a minute."""

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_logger = logging.getLogger(__name__)


class StartInterrupted(BaseException):
    """A stop was requested while the service started. Like KeyboardInterrupt, this is no error."""


class StopRequest:
    """Waits for a signal that requests a stop. While the service starts, such a signal interrupts the start.

    The signal handler only writes into a pipe or raises. A handler must take no lock: the code that it interrupted
    may hold that very lock.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._starting = True

    def install(self) -> None:
        """Install the signal handlers. Call this again after a library has installed handlers of its own."""
        for number in _STOP_SIGNALS:
            signal.signal(number, self._handle)

    def wait(self, seconds: float) -> bool:
        """Wait at most so many seconds, and return whether a stop was requested. The first call ends the start."""
        self._starting = False
        readable, _, _ = select.select([self._reader], [], [], seconds)
        return bool(readable)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        os.write(self._writer, b"x")
        if self._starting:
            self._starting = False
            raise StartInterrupted


class Driver:
    """One run of the service: starts Redis, Ray and the application, and keeps them until a stop is requested."""

    def __init__(self, config: DriverConfig) -> None:
        self._config = config
        self._settings = Settings.model_validate_json(config.settings)
        self._data = DataDirectory(self._settings.data_dir)
        self._runtime = RuntimeDirectory(Path(config.runtime_directory))
        self._stop = StopRequest()

    def run(self) -> int:
        """Run the service until it is stopped, and return the exit code."""
        self._stop.install()
        with suppress(StartInterrupted, SystemExit), ExitStack() as stack:  # SystemExit: from Ray, while Ray starts
            return self._serve(stack)
        return 0

    def _serve(self, stack: ExitStack) -> int:
        """Run the service until a stop is requested, and return the exit code; the caller stops what ``stack`` holds.

        A failure is reported before anything stops: Ray may end this process while it stops.
        """
        try:
            redis, cluster = self._start(stack)
            self._send(ReadyMessage())
            self._wait_for_stop(redis, cluster)
        except (StartRefused, ServiceDied) as failure:
            self._report(str(failure))
            return 1
        except Exception as error:
            _logger.exception("The service failed")
            self._send(FailureMessage(f"{type(error).__name__}: {error}"))
            return 1
        self._send(ProgressMessage("Stopping …"))
        return 0

    def clear(self) -> None:
        """Clear what this run leaves, if the supervisor was killed and cannot do so."""
        run = self._data.last_run()
        if run is not None and run.runtime == self._config.runtime_directory and not self._data.has_supervisor:
            leftovers.clear(self._data, run)
            DirectoryLock(self._config.lock_fd).erase_record()

    def _start(self, stack: ExitStack) -> tuple[EmbeddedRedis | None, RayCluster]:
        redis = self._start_redis(stack)
        settings = self._settings if redis is None else self._settings.model_copy(update={"redis_url": redis.url})
        self._send(ProgressMessage("Checking the data …"))
        stores.check_stores(settings, lambda line: self._send(ProgressMessage(line)), redis)
        with look_for_damage(settings):
            return redis, self._start_ray(stack, settings)

    def _start_ray(self, stack: ExitStack, settings: Settings) -> RayCluster:
        self._send(ProgressMessage("Loading the application …"))
        application = _build_application(self._config.application, settings)
        self._send(ProgressMessage("Starting Ray, which takes some 10 s …"))
        cluster = RayCluster(settings, self._runtime, self._config.ports, self._config.identity)
        stack.callback(cluster.stop)
        with end_after(_RAY_STARTS_WITHIN_S, self._explain_ray, self._report):
            cluster.start()
        self._stop.install()
        replicas = "1 replica" if settings.replicas == 1 else f"{settings.replicas} replicas"
        self._send(ProgressMessage(f"Starting {replicas} …"))
        try:
            with end_after(_RAY_STARTS_WITHIN_S, self._explain_replicas, self._report):
                cluster.run(application)
        except StartRefused:
            stores.check_log(settings)  # the cause, where the log is damaged at a place that was not looked at before
            raise
        return cluster

    def _explain_ray(self) -> str:
        return f"Ray did not start ({describe_start(self._runtime.ray_logs)})"

    def _explain_replicas(self) -> str | None:
        """Return why no replica runs; a replica that runs may take long to fold a long log."""
        if any("ServeReplica" in process.name() for process in leftovers.find_processes(self._config.token)):
            return None
        return f"Ray started no replica ({describe_start(self._runtime.ray_logs)})"

    def _report(self, reason: str) -> None:
        _logger.error("%s", reason)
        self._send(FailureMessage(reason))

    def _start_redis(self, stack: ExitStack) -> EmbeddedRedis | None:
        if self._settings.redis_url is not None:
            return None
        self._send(ProgressMessage("Starting Redis …"))
        redis = EmbeddedRedis(self._runtime.redis_socket, self._data.redis_log, self._data.redis)
        return stack.enter_context(redis)

    def _wait_for_stop(self, redis: EmbeddedRedis | None, cluster: RayCluster) -> None:
        while not self._stop.wait(_CHECK_EVERY_S):
            # Without this process the replicas answer for a while, but a replica that dies is not replaced.
            if (process := cluster.find_dead_process()) is not None:
                raise ServiceDied(f"Ray's {process} died")
            if redis is not None:
                if redis.revive():
                    _logger.error("Redis had died and was started again with its last snapshot")
                redis.make_snapshot_when_due()

    def _send(self, message: DriverMessage) -> None:
        with suppress(BrokenPipeError):  # the supervisor was killed
            os.write(self._config.messages_fd, msgspec.json.encode(message) + b"\n")


def main() -> int:
    """Run one service with the configuration on standard input, and return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s driver %(name)s: %(message)s")
    config, supervisor_pipe = _read_config()
    driver = Driver(config)
    threading.Thread(target=_stop_at_end_of, args=(supervisor_pipe,), daemon=True).start()
    code = driver.run()
    driver.clear()
    return code


def _read_config() -> tuple[DriverConfig, int]:
    text = b""
    while not text.endswith(b"\n"):
        part = os.read(0, 65_536)
        if not part:
            raise SystemExit("the supervisor vanished")
        text += part
    config = msgspec.json.decode(text, type=DriverConfig)
    for fd in (config.messages_fd, config.lock_fd):
        os.set_inheritable(fd, False)
    return config, _move_stdin()


def _move_stdin() -> int:
    # Ray's processes inherit descriptor 0, but only this process may hold the supervisor's pipe.
    supervisor_pipe = os.dup(0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return supervisor_pipe


def _stop_at_end_of(supervisor_pipe: int) -> None:
    os.read(supervisor_pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _build_application(application: str, settings: Settings) -> Application:
    module, _, function = application.partition(":")
    built: Application = getattr(importlib.import_module(module), function)(settings)
    return built


if __name__ == "__main__":
    exit_code = main()
    logging.shutdown()
    os._exit(exit_code)  # a thread of Ray may still wait for a server that has died
