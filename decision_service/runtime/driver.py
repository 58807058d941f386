"""The process that runs Ray, in a session of its own: ``python -m decision_service.runtime.driver``.

Reads its :class:`~decision_service.runtime.messages.Order` from standard input, which then stays open as
long as the supervisor lives: its end asks the driver to stop, as SIGTERM does.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from decision_service.runtime import leftovers
from decision_service.runtime.data_directory import DataDirectory, Hold
from decision_service.runtime.embedded_redis import EmbeddedRedis
from decision_service.runtime.errors import ServiceDied, StartRefused
from decision_service.runtime.messages import Event, Failed, Order, Progress, Ready
from decision_service.runtime.ray_cluster import RayCluster
from decision_service.runtime.runtime_directory import RuntimeDirectory
from decision_service.runtime.stop_request import Stopped, StopRequest
from decision_service.settings import Settings

if TYPE_CHECKING:
    from ray.serve import Application

_CHECK_EVERY_S = 0.5

_logger = logging.getLogger(__name__)


class Driver:
    """One run of the service: Redis, Ray, the application, until a stop is asked for."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._settings = Settings.model_validate_json(order.settings)
        self._data = DataDirectory(self._settings.data_dir)
        self._runtime = RuntimeDirectory(Path(order.runtime))
        self._stop = StopRequest()

    def run(self) -> int:
        """Run until stopped; return the exit code."""
        self._stop.install()
        try:
            with ExitStack() as stack:
                redis, cluster = self._start(stack)
                self._tell(Ready())
                self._rest(redis, cluster)
                self._tell(Progress("Stopping …"))
        except (Stopped, SystemExit):  # SystemExit: Ray's own handler, while Ray starts
            return 0
        except (StartRefused, ServiceDied) as failure:
            self._tell(Failed(str(failure)))
            return 1
        except Exception as error:
            _logger.exception("The service failed")
            self._tell(Failed(f"{type(error).__name__}: {error}"))
            return 1
        return 0

    def clear(self) -> None:
        """Clean up in the place of a supervisor that was killed."""
        run = self._data.last_run()
        if run is not None and run.runtime == self._order.runtime and not run.is_alive():
            leftovers.clear(self._data, run)
            Hold(self._order.lock).forget()

    def _start(self, stack: ExitStack) -> tuple[EmbeddedRedis | None, RayCluster]:
        redis = self._redis(stack)
        settings = self._settings if redis is None else self._settings.model_copy(update={"redis_url": redis.url})
        self._tell(Progress("Loading the application …"))
        application = _build(self._order.application, settings)
        self._tell(Progress("Starting Ray, which takes some 10 s …"))
        cluster = stack.enter_context(RayCluster(settings, self._runtime, self._order.ports))
        self._stop.install()
        self._tell(Progress(f"Starting {_counted(settings.replicas)} …"))
        cluster.run(application)
        return redis, cluster

    def _redis(self, stack: ExitStack) -> EmbeddedRedis | None:
        if self._settings.redis_url is not None:
            return None
        self._tell(Progress("Starting Redis …"))
        return stack.enter_context(EmbeddedRedis(self._runtime.redis_socket, self._data.logs / "redis.log"))

    def _rest(self, redis: EmbeddedRedis | None, cluster: RayCluster) -> None:
        while not self._stop.wait(_CHECK_EVERY_S):
            if (dead := cluster.dead()) is not None:  # it would answer on for a while, and heal nothing
                raise ServiceDied(f"Ray's {dead} died")
            if redis is not None and redis.revive():
                _logger.error("Redis had died and was started again, empty")

    def _tell(self, event: Event) -> None:
        with suppress(BrokenPipeError):  # the supervisor was killed
            os.write(self._order.events, msgspec.json.encode(event) + b"\n")


def main() -> int:
    """Obey the order on standard input."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    order, lifeline = _read_order()
    driver = Driver(order)
    threading.Thread(target=_stop_at_end_of, args=(lifeline,), daemon=True).start()
    code = driver.run()
    driver.clear()
    return code


def _read_order() -> tuple[Order, int]:
    text = b""
    while not text.endswith(b"\n"):
        part = os.read(0, 65_536)
        if not part:
            raise SystemExit("the supervisor vanished")
        text += part
    order = msgspec.json.decode(text, type=Order)
    for fd in (order.events, order.lock):
        os.set_inheritable(fd, False)
    return order, _move_stdin()


def _move_stdin() -> int:
    # Ray's processes inherit descriptor 0; only this process shall hold the supervisor's pipe.
    lifeline = os.dup(0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return lifeline


def _stop_at_end_of(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _build(application: str, settings: Settings) -> Application:
    module, _, function = application.partition(":")
    built: Application = getattr(importlib.import_module(module), function)(settings)
    return built


def _counted(replicas: int) -> str:
    return "1 replica" if replicas == 1 else f"{replicas} replicas"


if __name__ == "__main__":
    exit_code = main()
    logging.shutdown()
    os._exit(exit_code)  # a thread of Ray's may still wait for a server that died
