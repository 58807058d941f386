"""The learner and all replicas of a service, wherever they run."""

from __future__ import annotations

import asyncio
from typing import Protocol

from decision_service.learning.learner import Learner
from decision_service.learning.serving import Serving


class Fleet(Protocol):
    """Reaches the learner and all replicas."""

    async def publish(self, position: int) -> int:
        """Fold the log up to a position, publish, and return the version once every replica serves it."""
        ...

    async def adopt(self, catalogue: int) -> None:
        """Return once every replica serves a version of the catalogue."""
        ...


class LocalFleet:
    """A learner and one replica in this process."""

    def __init__(self, learner: Learner, versions: Serving) -> None:
        self._learner = learner
        self._versions = versions

    async def publish(self, position: int) -> int:
        await asyncio.to_thread(self._learner.catch_up, position)
        return (await self._versions.refresh()).model

    async def adopt(self, catalogue: int) -> None:
        await self._versions.refresh()
