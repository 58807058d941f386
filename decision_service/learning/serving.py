"""Serving: the policy and catalogue that a replica serves, swapped as a whole when there is a newer version.

Models come from the registry, catalogues from the log.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from decision_service.catalogues.versions import latest_catalogue_row
from decision_service.learning.registry.base import Registry, RegistryUnavailable
from decision_service.log.base import EventLog, LogUnavailable
from decision_service.periodic import PeriodicTask
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.learning.model_learner import ModelMismatch
from policies.models.policy import Policy
from policies.models.registry import POLICIES
from policies.models.rule import rule_policy
from policies.records.rows import FALLBACK

_LOOK_EVERY_S = 0.5
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedPolicy:
    """What decisions are made with now; it is swapped as a whole between requests."""

    rulebook: Rulebook
    policy: Policy


@dataclass(frozen=True)
class ServedVersions:
    """The model version and the catalogue version that a replica serves; a policy that never ``learns`` has model 0."""

    model: int
    catalogue: int
    learns: bool = True


class Serving:
    """Follows registry and log, and builds the policy to serve.

    A version that cannot be loaded never takes the service down: the version before is served on or, where there is
    none, the business rule with mode ``fallback``.

    Parameters
    ----------
    registry, log
        Where models and catalogues come from.
    rulebook
        The catalogue to begin with.
    name
        The policy to serve, by its name in `POLICIES`.
    hold_share
        The hold share of every policy that is served, the fallback included.
    """

    def __init__(
        self, registry: Registry, log: EventLog, rulebook: Rulebook, name: str, hold_share: float = 0.0
    ) -> None:
        self._registry = registry
        self._log = log
        self._factory = POLICIES[name].with_hold_share(hold_share)
        self._hold_share = hold_share
        self._serving = ServedPolicy(rulebook, self._factory.make(rulebook))
        self._turn = asyncio.Lock()
        self._look = PeriodicTask(self._follow, _LOOK_EVERY_S)

    def current(self) -> ServedPolicy:
        """Return what to decide with."""
        return self._serving

    def start(self) -> None:
        """Begin to look at the registry twice a second."""
        self._look.start()

    async def stop(self) -> None:
        """Stop looking."""
        await self._look.stop()

    async def refresh(self) -> ServedVersions:
        """Serve the latest versions, and return which are served."""
        async with self._turn:
            rulebook = await asyncio.to_thread(self._latest_rulebook)
            number = await asyncio.to_thread(self._registry.latest) if self._factory.learns else 0
            if number != self._serving.policy.version or rulebook is not self._serving.rulebook:
                await self._swap(number, rulebook)
        return ServedVersions(self._serving.policy.version, self._serving.rulebook.version, self._factory.learns)

    def _latest_rulebook(self) -> Rulebook:
        serving = self._serving.rulebook
        row = latest_catalogue_row(self._log)
        if row is None or row.version <= serving.version:
            return serving
        return Rulebook.of(Catalogue.from_stored(row.document), row.version)

    async def _swap(self, number: int, rulebook: Rulebook) -> None:
        try:
            policy = await asyncio.to_thread(self._build, number, rulebook)
        except (ModelMismatch, KeyError) as error:
            _logger.error("model version %s is not served: %s", number, error)
            if self._serving.policy.version == 0 or rulebook is not self._serving.rulebook:
                self._serving = ServedPolicy(rulebook, fallback_policy(self._hold_share))
            return
        self._serving = ServedPolicy(rulebook, policy)

    def _build(self, number: int, rulebook: Rulebook) -> Policy:
        if number == 0 or self._factory.learning is None:
            return self._factory.make(rulebook)
        payload = self._registry.load(number).payload
        if payload is None:
            raise ModelMismatch("its bytes were pruned")
        return self._factory.learning.make_version(payload, rulebook, number)

    async def _follow(self) -> None:
        try:
            await self.refresh()
        except (RegistryUnavailable, LogUnavailable) as error:
            _logger.warning("the registry or the log is away: %s", error)


def fallback_policy(hold_share: float = 0.0) -> Policy:
    """Make the baseline that answers when no model can be used."""
    return replace(rule_policy(), mode=FALLBACK, hold_share=hold_share)
