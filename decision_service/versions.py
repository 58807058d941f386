"""Versions: what a replica serves, swapped as a whole between requests when the registry has something newer."""

from __future__ import annotations

import asyncio
import logging

import numpy as np

from decision_service.decider import Serving
from decision_service.pulse import Pulse
from decision_service.registry.base import Registry, RegistryUnavailable
from policies.compiled_model import ModelMismatch, ModelSnapshot
from policies.exploration import Greedy
from policies.learned_model import LearnedModel
from policies.learning import empty_snapshot
from policies.policy import Policy, rule, uniform
from policies.rulebook import Rulebook
from policies.vw_heads import OPTIONS

LEARNED_BEFORE_HOLD = 1_000
"""Interactions to learn before the greedy part may hold: HOLD teaches nothing."""

_LOOK_EVERY_S = 0.5
_logger = logging.getLogger(__name__)


class Versions:
    """Follows the registry and builds the policy to serve.

    A version that cannot be loaded never takes the service down: the one before goes on being served, or,
    where there is none, the business rule with mode ``fallback``.

    Parameters
    ----------
    name
        ``default`` learns; ``rule`` and ``uniform`` are baselines that never change.
    """

    def __init__(self, registry: Registry, rulebook: Rulebook, name: str) -> None:
        self._registry = registry
        self._rulebook = rulebook
        self._name = name
        self._serving = Serving(rulebook, self._start())
        self._turn = asyncio.Lock()
        self._pulse = Pulse(self._follow, _LOOK_EVERY_S)

    def _start(self) -> Policy:
        if self._name == "uniform":
            return uniform()
        if self._name == "rule":
            return rule()
        return learned_policy(empty_snapshot(self._rulebook.catalogue.reward), self._rulebook, 0)

    def current(self) -> Serving:
        """Give what to decide with."""
        return self._serving

    def start(self) -> None:
        """Look at the registry twice a second from now on."""
        self._pulse.start()

    async def stop(self) -> None:
        """Look no longer."""
        await self._pulse.stop()

    async def refresh(self) -> int:
        """Serve the latest version now; give the number served."""
        if self._name != "default":
            return 0
        async with self._turn:
            number = await asyncio.to_thread(self._registry.latest)
            if number != self._serving.policy.version:
                await self._swap(number)
        return self._serving.policy.version

    async def _swap(self, number: int) -> None:
        try:
            policy = await asyncio.to_thread(self._build, number)
        except (ModelMismatch, KeyError) as error:
            _logger.error("model version %s is not served: %s", number, error)
            if self._serving.policy.version == 0:
                self._serving = Serving(self._rulebook, fallback())
            return
        self._serving = Serving(self._rulebook, policy)

    def _build(self, number: int) -> Policy:
        payload = self._registry.load(number).payload
        if payload is None:
            raise ModelMismatch("its bytes were pruned")
        return learned_policy(ModelSnapshot.from_bytes(payload), self._rulebook, number)

    async def _follow(self) -> None:
        try:
            await self.refresh()
        except RegistryUnavailable as error:
            _logger.warning("the registry is away: %s", error)


def learned_policy(snapshot: ModelSnapshot, rulebook: Rulebook, number: int) -> Policy:
    """Make the default policy of a model version.

    Raises
    ------
    ModelMismatch
        When the model cannot be scored here, or its scores are not finite.
    """
    model = LearnedModel.of(snapshot, rulebook, OPTIONS)
    if not np.isfinite(model.assess({"local_hour": 12.0}, rulebook).scores).all():
        raise ModelMismatch("its scores are not finite")
    exploration = Greedy(sends_only=snapshot.learned < LEARNED_BEFORE_HOLD)
    return Policy("default", model, exploration, version=number, learns=True, mode="online")


def fallback() -> Policy:
    """Make the baseline that answers when no model can be used."""
    policy = rule()
    return Policy(policy.name, policy.model, policy.exploration, policy.epsilon, mode="fallback")
