"""The service on Ray Serve: replicas behind the ingress, and one learner.

What must outlive a replica is kept in the log, the registry and Redis. A new model version does not go through
Serve's configuration, because a change of configuration restarts replicas. Replicas read new versions from the
registry by themselves, and a broadcast makes them read it at once.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from typing import Any, cast

from ray import serve
from ray.serve import Application, Deployment
from ray.serve.config import BackpressureConfig
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from decision_service.api.application import build_api
from decision_service.app import Service, open_learner
from decision_service.errors import Unavailable
from decision_service.learning.fleet import Fleet
from decision_service.learning.serving import ServedVersions, Serving
from decision_service.runtime.data_directory import DataDirectory
from decision_service.runtime.ray_cluster import CPU_SHARE
from decision_service.service_log import write_warnings
from decision_service.settings import Settings, metrics_directory

APPLICATION = "decision-service"
_REPLICA, _LEARNER = "replica", "learner"
_ONGOING = 1_024
"""Requests that a replica works on at once. The ingress limits them by kind, and its limits together are lower."""

_QUEUED = 256
"""Requests that wait for a replica; Serve answers further requests with 429, and with `Retry-After: 1`."""

_LEARNER_NICENESS = 10
"""Added to the niceness of the learner's process: where cores are few, decisions come first."""

_SWITCH_INTERVAL_S = 0.0005
"""How long a thread of a replica keeps the interpreter while another thread waits. The thread that writes the log needs
the interpreter once per row. Beside a busy event loop it would wait 5 ms per row with Python's default of 5 ms."""

_COLLECT_AFTER = (50_000, 20, 100)
"""The thresholds of Python's cyclic garbage collection in a replica. A batch makes some ten thousand objects, which
make no cycles and go with its answers. With Python's default of 700 objects the collector looks at them dozens of times
per batch: a tenth of the time. What a start makes is frozen by Serve, and no collection looks at it."""

_ANSWERS_WITHIN_S = 5.0
"""Serve kills a replica that leaves three health checks in a row unanswered for so long, and starts another one."""


@serve.deployment(
    name=_LEARNER,
    num_replicas=1,
    ray_actor_options={"num_cpus": CPU_SHARE},
    graceful_shutdown_timeout_s=20,
    health_check_period_s=2,
    health_check_timeout_s=2 * _ANSWERS_WITHIN_S,
)
class LearnerDeployment:
    """The only learner. When it dies, Serve starts another one, which continues from the checkpoint."""

    def __init__(self, settings: Settings) -> None:
        os.nice(_LEARNER_NICENESS)
        write_warnings(DataDirectory(settings.data_dir).service_log, _LEARNER)
        self._learner = open_learner(settings)
        self._learner.start()

    async def catch_up(self, position: int) -> int:
        """Fold the log up to ``position``, publish, and return the latest version."""
        return await asyncio.to_thread(self._learner.catch_up, position)

    def check_health(self) -> None:
        """Raise when the learner's thread has died; Serve then starts another learner."""
        if not self._learner.is_alive:
            raise RuntimeError("the learner's thread died: see the service's output")

    def __del__(self) -> None:
        self._learner.stop()


@serve.deployment(
    name=_REPLICA,
    ray_actor_options={"num_cpus": CPU_SHARE},
    max_ongoing_requests=_ONGOING,
    max_queued_requests=_QUEUED,
    backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
    graceful_shutdown_timeout_s=10,
    health_check_period_s=2,
    health_check_timeout_s=_ANSWERS_WITHIN_S,
)
@serve.ingress()
class Replica:
    """One process that answers requests."""

    def __init__(self, settings: Settings, learner: DeploymentHandle[Any]) -> None:
        write_warnings(DataDirectory(settings.data_dir).service_log, _REPLICA)
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        gc.set_threshold(*_COLLECT_AFTER)
        self._settings = settings
        self._learner = learner

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Build the ASGI application. Serve calls this method, and runs the lifespan of the application."""
        self._service = Service(self._settings, self._make_fleet)
        return build_api(self._service, multiprocess_dir=metrics_directory())

    def _make_fleet(self, serving: Serving) -> Fleet:
        return RayFleet(self._learner, serving)

    async def refresh(self) -> ServedVersions:
        """Read newer versions from the registry now, and return the versions that are served."""
        return await self._service.versions.refresh()


class RayFleet:
    """The learner and all replicas of this application."""

    def __init__(self, learner: DeploymentHandle[Any], serving: Serving) -> None:
        self._learner = learner
        self._serving = serving

    async def publish(self, position: int) -> int:
        """Fold the log up to ``position``, and publish a version.

        Make every replica serve it; raise `Unavailable` if one does not yet. Return the version that this replica
        serves.
        """
        try:
            version: int = await self._learner.catch_up.remote(position)
        except RayServeException as error:
            raise Unavailable("the learner is away") from error
        if any(served.learns and served.model < version for served in await self._refresh()):
            raise Unavailable(f"not every replica serves version {version} yet")
        # Not `version`: a policy that does not learn serves version 0, and this replica may serve a newer version.
        return self._serving.current().policy.version

    async def adopt(self, catalogue: int) -> None:
        """Make every replica serve a version of the catalogue; raise `Unavailable` if one does not yet."""
        if any(served.catalogue < catalogue for served in await self._refresh()):
            raise Unavailable(f"not every replica serves catalogue {catalogue} yet")

    async def _refresh(self) -> list[ServedVersions]:
        """Make all replicas, this one included, read newer versions from the registry now."""
        replicas = serve.get_deployment_handle(_REPLICA, APPLICATION)
        try:
            answers: list[ServedVersions] = await replicas.broadcast("refresh").results_async()
        except RayServeException as error:
            raise Unavailable("a replica is away") from error
        # Serve broadcasts to the replicas that this process has heard of. It may not have heard of itself yet.
        return [*answers, await self._serving.refresh()]


def build_application(settings: Settings) -> Application:
    """Return the Serve application of a service.

    Parameters
    ----------
    settings
        Settings in which ``redis_url`` is set.
    """
    # Ray's decorators turn the classes into deployments, but their annotations do not say so.
    learner, replica = cast(Deployment, LearnerDeployment), cast(Deployment, Replica)
    return replica.options(num_replicas=settings.replicas).bind(settings, learner.bind(settings))
