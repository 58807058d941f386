"""A Ray of the service's own on this machine, with Serve: one of the two doors to Ray, beside ``deployments``.

Ray reads its settings from the environment when it is imported, so the process that enters a
:class:`RayCluster` must have been started with :func:`environment`.
"""

from __future__ import annotations

import http.client
import logging
import secrets
import threading
import time
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psutil

from decision_service.runtime import haproxy
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.ports import Ports
from decision_service.runtime.runtime_directory import RuntimeDirectory
from decision_service.settings import METRICS_VARIABLE, Settings

if TYPE_CHECKING:
    from ray.serve import Application

# Ray's processors are only a count. Each actor of the service asks for this share of one, so that any
# number of replicas fits on any machine.
CPU_SHARE = 0.01
_CPUS = 2
_OBJECT_STORE_BYTES = 100 * 2**20
_ANSWERS_WITHIN_S = 30.0
_SERVE_STOPS_WITHIN_S = 10.0
_APPLICATION = "decision-service"
_VITAL = ("gcs_server", "raylet")

_logger = logging.getLogger(__name__)


def environment(runtime: RuntimeDirectory, ports: Ports) -> dict[str, str]:
    """Return the variables that a process needs before it imports Ray."""
    return haproxy.environment(haproxy.binary(), runtime, ports) | {
        METRICS_VARIABLE: str(_metrics_directory(runtime)),
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports.fallback),
        # A stop waits this long for requests under way (30 s by default); a killed HAProxy is missed after
        # three such periods.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0.5",
        "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "0.5",
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "2",
        # Despite its name: every Ray process listens on loopback only.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # Ray's ports ask for a token; a token of the run's own, instead of one in the user's home.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(_write_token(runtime)),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        # Ray kills workers when the machine's memory is nearly used, whoever uses it: leave that to the kernel.
        "RAY_memory_monitor_refresh_ms": "0",
        "RAY_ROTATION_MAX_BYTES": str(8 * 2**20),
        "RAY_ROTATION_BACKUP_COUNT": "2",
    }


def _write_token(runtime: RuntimeDirectory) -> Path:
    path = runtime.path / "ray_token"
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(32))
    return path


def _metrics_directory(runtime: RuntimeDirectory) -> Path:
    path = runtime.path / "metrics"
    path.mkdir(exist_ok=True)
    return path


class RayCluster:
    """Ray and Serve from entering to leaving the context; whatever else runs on the machine is left alone.

    Parameters
    ----------
    settings
        For the address to listen on.
    runtime
        The directory for Ray's sockets.
    ports
        The ports to listen on.
    """

    def __init__(self, settings: Settings, runtime: RuntimeDirectory, ports: Ports) -> None:
        self._settings = settings
        self._runtime = runtime
        self._ports = ports
        self._vital: dict[str, psutil.Process] = {}

    @property
    def url(self) -> str:
        """Where the application answers."""
        return f"http://{self._settings.host}:{self._ports.http}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def run(self, application: Application) -> None:
        """Deploy the application under ``/`` and return once ``GET /healthz`` answers 200 through the ingress.

        Raises
        ------
        StartRefused
            When a replica cannot be made, with the cause; or when it does not answer.
        """
        from ray import serve
        from ray.serve.schema import LoggingConfig

        quiet = LoggingConfig(enable_access_log=False)
        try:
            serve.run(application, name=_APPLICATION, route_prefix="/", logging_config=quiet)
        except RuntimeError as error:
            raise StartRefused(f"the application could not be deployed: {_cause(error)}") from error
        self._await_answer()

    def dead(self) -> str | None:
        """Return the name of a process of Ray's without which it cannot go on, if it has died; else None."""
        return next((name for name, process in self._vital.items() if not _lives(process)), None)

    def _start(self) -> None:
        import ray
        from ray import serve

        ray.init(
            address="local",  # else it would join any Ray that happens to run on this machine
            num_cpus=_CPUS,
            num_gpus=0,
            object_store_memory=_OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            namespace="decision-service",
            _temp_dir=str(self._runtime.ray),
        )
        self._vital = {c.name(): c for c in psutil.Process().children() if c.name() in _VITAL}
        serve.start(
            proxy_location="HeadOnly",
            http_options={"host": self._settings.host, "port": self._ports.http},
            logging_config={"enable_access_log": False},
        )

    def _stop(self) -> None:
        import ray
        from ray import serve

        try:
            if ray.is_initialized():
                self._while_alive(serve.shutdown)
        finally:
            ray.shutdown()

    def _while_alive(self, work: Callable[[], object]) -> None:
        # Serve waits for ever for an answer from a Ray that has died, or was told to stop as well.
        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        deadline = time.monotonic() + _SERVE_STOPS_WITHIN_S
        while worker.is_alive() and self.dead() is None and time.monotonic() < deadline:
            worker.join(0.05)

    def _await_answer(self) -> None:
        # Serve is ready a moment before its proxy knows the routes.
        deadline = time.monotonic() + _ANSWERS_WITHIN_S
        while (status := self._status()) != http.HTTPStatus.OK:
            if time.monotonic() > deadline:
                raise StartRefused(f"the application does not answer GET {self.url}/healthz (last: {status})")
            time.sleep(0.05)

    def _status(self) -> int | None:
        connection = http.client.HTTPConnection(self._settings.host, self._ports.http, timeout=5.0)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()


def _cause(error: Exception) -> str:
    """Return what the replicas died of, as far as Serve knows; log their tracebacks."""
    from ray import serve

    deployments = serve.status().applications[_APPLICATION].deployments.values()
    failures = [deployment.message for deployment in deployments if "FAILED" in deployment.status]
    for failure in failures:
        _logger.error("%s", failure)
    return "; ".join(_last_words(failure) for failure in failures) or str(error)


def _last_words(traceback: str) -> str:
    r"""Return what follows the frames of a traceback.

    >>> _last_words("Traceback:\n  File x, line 1\n    f()\nValueError: no messages\nin the catalogue")
    'ValueError: no messages in the catalogue'
    """
    lines = reversed(traceback.rstrip().splitlines())
    return " ".join(reversed(list(takewhile(lambda line: not line.startswith("  "), lines))))


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
