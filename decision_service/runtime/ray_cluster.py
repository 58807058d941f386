"""A private Ray cluster on this machine, with Serve. Only this module and ``deployments`` import Ray.

Ray reads its settings from the environment when it is imported. So the process that enters a :class:`RayCluster` must
have been started with the variables of :func:`build_environment`.
"""

from __future__ import annotations

import http.client
import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from decision_service.runtime import haproxy, idle_agent
from decision_service.runtime.data_directory import DataDirectory
from decision_service.runtime.die_with_parent import wrap_command
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.ingress.address import UnixConnection, find_identity
from decision_service.runtime.ingress.identity import build_middlewares
from decision_service.runtime.ports import Ports
from decision_service.runtime.runtime_directory import RuntimeDirectory
from decision_service.settings import METRICS_VARIABLE, Settings

if TYPE_CHECKING:
    from ray.serve import Application

# Ray only counts processors. Each actor of the service asks for this share of one, so that any number of replicas
# fits on any machine.
CPU_SHARE = 0.01
_CPUS = 2
_OBJECT_STORE_BYTES = 100 * 2**20
_ANSWERS_WITHIN_S = 30.0
_SERVE_STOPS_WITHIN_S = 10.0
_APPLICATION = "decision-service"
_VITAL_PROCESSES = ("gcs_server", "raylet")

_logger = logging.getLogger(__name__)


def build_environment(runtime: RuntimeDirectory, ports: Ports, identity: str) -> dict[str, str]:
    """Return the environment variables that a process needs before it imports Ray."""
    return haproxy.build_environment(haproxy.find_binary(), runtime, identity) | {
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": f"{build_middlewares.__module__}:{build_middlewares.__name__}",
        # A replica that does not answer is killed: a frozen one would hear no request to stop.
        "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1",
        METRICS_VARIABLE: str(_make_metrics_directory(runtime)),
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        # Otherwise the files of Serve miss the last 1,000 records, and those of a process that dies are lost.
        "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1",
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports.fallback),
        # A stop waits this long for requests under way (30 s by default). Serve notices a killed HAProxy after
        # three such periods.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0.5",
        "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "0.5",
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "2",
        # Serve kills a proxy that is not ready after three such times (5 s by default), and its start fails: on a busy
        # machine a process needs longer.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "30",
        # Despite its name, this variable makes every Ray process listen on loopback only.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # Ray's ports ask for a token. The run has its own token, so that none is written into the user's home.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(_write_token(runtime)),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Under `uv run` Ray would pack the data directory, and refuse one of more than 512 MiB.
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        # Ray kills workers when the machine's memory is nearly full, whoever uses it. Leave that to the kernel.
        "RAY_memory_monitor_refresh_ms": "0",
        "RAY_ROTATION_MAX_BYTES": str(8 * 2**20),
        "RAY_ROTATION_BACKUP_COUNT": "2",
    }


def _write_token(runtime: RuntimeDirectory) -> Path:
    path = runtime.path / "ray_token"
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(32))
    return path


def _make_metrics_directory(runtime: RuntimeDirectory) -> Path:
    path = runtime.path / "metrics"
    path.mkdir(exist_ok=True)
    return path


class RayCluster:
    """Ray and Serve, from `start` to `stop`. Another Ray on the machine is left alone.

    Parameters
    ----------
    settings
        The host to listen on.
    runtime
        The directory of Ray's sockets.
    ports
        The ports to listen on. Behind an ingress, the HTTP port is taken already, and Serve answers on a Unix socket.
    identity
        The identity of this run.
    """

    def __init__(self, settings: Settings, runtime: RuntimeDirectory, ports: Ports, identity: str) -> None:
        self._settings = settings
        self._runtime = runtime
        self._ports = ports
        self._identity = identity
        self._has_ingress = haproxy.find_binary() is not None
        self._vital_processes: dict[str, psutil.Process] = {}

    @property
    def _logging(self) -> dict[str, Any]:
        """How all processes of Serve log: the controller, the ingress, replicas and learner."""
        return {"enable_access_log": False, "logs_dir": str(DataDirectory(self._settings.data_dir).serve_logs)}

    def start(self) -> None:
        """Start Ray and Serve."""
        import ray
        from ray import serve

        _replace_agents()
        ray.init(
            address="local",  # the default would join any Ray that runs on this machine
            num_cpus=_CPUS,
            num_gpus=0,
            object_store_memory=_OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            namespace="decision-service",
            _temp_dir=str(self._runtime.ray),
        )
        self._vital_processes = {c.name(): c for c in psutil.Process().children() if c.name() in _VITAL_PROCESSES}
        serve.start(
            proxy_location="HeadOnly",
            http_options=self._http_options(),
            logging_config=self._logging,
        )

    def run(self, application: Application) -> None:
        """Deploy the application at ``/``, and return once it answers ``GET /healthz`` with the identity of this run.

        Raises
        ------
        StartRefused
            When a replica cannot start, with the cause, or when the application does not answer.
        """
        from ray import serve
        from ray.serve.schema import LoggingConfig

        quiet = LoggingConfig(**self._logging)
        try:
            serve.run(application, name=_APPLICATION, route_prefix="/", logging_config=quiet)
        except RuntimeError as error:
            raise StartRefused(f"the application could not be deployed: {_find_cause(error)}") from error
        self._await_answer()

    def stop(self) -> None:
        """Stop Serve and Ray, as far as they were started."""
        import ray
        from ray import serve

        try:
            if ray.is_initialized():
                self._run_while_alive(serve.shutdown)
        finally:
            ray.shutdown()

    def find_dead_process(self) -> str | None:
        """Return the name of a vital process of Ray that has died, or None while all of them live."""
        return next((name for name, process in self._vital_processes.items() if not _is_alive(process)), None)

    def _http_options(self) -> dict[str, str | int]:
        if self._has_ingress:  # Serve's HAProxy listens on a Unix socket, and replicas on ports of their own
            return {"host": "127.0.0.1"}
        return {"host": self._settings.host, "port": self._ports.http}

    def _run_while_alive(self, work: Callable[[], object]) -> None:
        # Serve waits for ever for the answer of a Ray that has died or is stopping as well.
        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        deadline = time.monotonic() + _SERVE_STOPS_WITHIN_S
        while worker.is_alive() and self.find_dead_process() is None and time.monotonic() < deadline:
            worker.join(0.05)

    def _await_answer(self) -> None:
        # Serve is ready a moment before its proxy knows the routes.
        deadline = time.monotonic() + _ANSWERS_WITHIN_S
        while (seen := find_identity(self._connect())) != self._identity:
            if time.monotonic() > deadline:
                raise StartRefused(f"the application does not answer GET /healthz (last answer from: {seen})")
            time.sleep(0.05)

    def _connect(self) -> http.client.HTTPConnection:
        if self._has_ingress:
            return UnixConnection(str(self._runtime.serve_socket))
        return http.client.HTTPConnection(self._settings.host, self._ports.http, timeout=5.0)


def _replace_agents() -> None:
    """Make Ray start processes that do nothing in the place of its two agents (see `idle_agent`)."""
    from ray._private import ray_constants, services

    agents = (ray_constants.PROCESS_TYPE_DASHBOARD_AGENT, ray_constants.PROCESS_TYPE_RUNTIME_ENV_AGENT)
    build = services._build_python_executable_command_memory_profileable

    def build_command(component: str, session_dir: str, unbuffered: bool = True) -> list[str]:
        if component in agents:
            return wrap_command([sys.executable, "-I", "-S", os.path.abspath(idle_agent.__file__)])
        command: list[str] = build(component, session_dir, unbuffered)
        return command

    services._build_python_executable_command_memory_profileable = build_command


def _find_cause(error: Exception) -> str:
    """Return the last error of the replicas that failed, as far as Serve knows, and log their tracebacks."""
    from ray import serve

    deployments = serve.status().applications[_APPLICATION].deployments.values()
    failures = [deployment.message for deployment in deployments if "FAILED" in deployment.status]
    for failure in failures:
        _logger.error("%s", failure)
    return "; ".join(_error_text(failure) for failure in failures) or str(error)


def _error_text(traceback: str) -> str:
    r"""Return the error at the end of a traceback, without the frames.

    >>> _error_text("Traceback:\n  File x, line 1\n    f()\nValueError: no messages\nin the catalogue")
    'ValueError: no messages in the catalogue'
    """
    lines = reversed(traceback.rstrip().splitlines())
    return " ".join(reversed(list(takewhile(lambda line: not line.startswith("  "), lines))))


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
