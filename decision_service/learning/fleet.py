"""The learner and all replicas of a service, wherever they run."""

from __future__ import annotations

import asyncio
from typing import Protocol

from decision_service.learning.learner import Learner
from decision_service.learning.serving import Serving


class Fleet(Protocol):
    """Reaches the learner and all replicas."""

    async def publish(self, position: int) -> int:
        """Fold the log up to ``position``, publish a version, and return the version that this replica serves.

        Raises
        ------
        Unavailable
            When the learner is away, or not every replica serves the new version yet.
        """
        ...

    async def adopt(self, catalogue: int) -> None:
        """Make every replica serve a version of the catalogue.

        Raises
        ------
        Unavailable
            When not every replica serves it yet.
        """
        ...


class LocalFleet:
    """A learner and one replica in this process."""

    def __init__(self, learner: Learner, serving: Serving) -> None:
        self._learner = learner
        self._serving = serving

    async def publish(self, position: int) -> int:
        await asyncio.to_thread(self._learner.catch_up, position)
        return (await self._serving.refresh()).model

    async def adopt(self, catalogue: int) -> None:
        await self._serving.refresh()
