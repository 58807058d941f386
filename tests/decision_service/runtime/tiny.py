"""A tiny application in the place of the service's: ``python -m tests.decision_service.runtime.tiny PORT DATA``."""

from __future__ import annotations

import os
import sys
from typing import cast

from fastapi import FastAPI
from ray import serve

from decision_service.runtime.ray_cluster import CPU_SHARE
from decision_service.settings import Settings

_api = FastAPI()


@serve.deployment
@serve.ingress(_api)
class Tiny:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @_api.get("/healthz")
    def alive(self) -> dict[str, str]:
        return {"status": "alive"}

    @_api.get("/settings")
    def settings(self) -> dict[str, str | int | None]:
        return {"redis_url": self._settings.redis_url, "replicas": self._settings.replicas, "pid": os.getpid()}


def build(settings: Settings) -> serve.Application:
    deployed = cast(serve.Deployment, Tiny)
    options = {"num_cpus": CPU_SHARE}
    return deployed.options(num_replicas=settings.replicas, ray_actor_options=options).bind(settings)


def main() -> int:
    from decision_service.commands.serve import run

    port, data_dir = sys.argv[1:3]
    return run({"port": port, "data_dir": data_dir}, application="tests.decision_service.runtime.tiny:build")


if __name__ == "__main__":
    sys.exit(main())
