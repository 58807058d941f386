"""A tiny application in the place of the service's: ``python -m tests.decision_service.runtime.tiny PORT DATA``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from fastapi import FastAPI

from decision_service.runtime.ray_cluster import CPU_SHARE
from decision_service.settings import Settings

if TYPE_CHECKING:
    from ray.serve import Application


class Tiny:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def state(self) -> dict[str, str | int | None]:
        return {"redis_url": self._settings.redis_url, "pid": os.getpid()}


class Broken(Tiny):
    def __init__(self, settings: Settings) -> None:
        raise ValueError("the catalogue has no messages")


def build(settings: Settings) -> Application:
    return _bind(Tiny, settings)


def build_broken(settings: Settings) -> Application:
    return _bind(Broken, settings)


def build_deaf(settings: Settings) -> Application:
    """Hear no signal and come to no end, as Ray's start does while it waits."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    (settings.data_dir / "deaf").open("w").close()  # a pipe, at whose other end the test waits
    threading.Event().wait()
    raise AssertionError


def _bind(made: type[Tiny], settings: Settings) -> Application:
    from ray import serve  # here, since pytest imports this module too and Ray warns when imported

    api = FastAPI()

    @serve.deployment(
        num_replicas=settings.replicas,
        ray_actor_options={"num_cpus": CPU_SHARE},
        max_constructor_retry_count=1,  # Serve tries three times, and each try takes seconds
    )
    @serve.ingress(api)
    class Ingress:
        def __init__(self, settings: Settings) -> None:
            self._tiny = made(settings)

        @api.get("/healthz")
        def alive(self) -> dict[str, str]:
            return {"status": "alive"}

        @api.get("/state")
        def state(self) -> dict[str, str | int | None]:
            return self._tiny.state()

    bound: Application = Ingress.bind(settings)  # type: ignore[attr-defined]  # the decorator's type is lost
    return bound


def main() -> int:
    from decision_service.cli.serve import run

    port, data_dir, function = sys.argv[1:4]
    application = f"tests.decision_service.runtime.tiny:{function}"
    return run({"port": port, "data_dir": data_dir}, application=application)


if __name__ == "__main__":
    sys.exit(main())
