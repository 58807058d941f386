"""The service: wires the parts. The one composition root; it knows no Ray, so tests need no cluster."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from decision_service.catalogues.file import read_catalogue
from decision_service.catalogues.versions import append_catalogue, catalogue_at_start, validate_catalogue
from decision_service.commands.activation import Activations
from decision_service.commands.decide import Decider
from decision_service.commands.erasure import Erasure
from decision_service.commands.feedback import Feedback
from decision_service.commands.shoppers import Shoppers
from decision_service.learning.learner import Learner
from decision_service.learning.registry.base import Registry
from decision_service.learning.registry.sql import SqlRegistry
from decision_service.learning.serving import Serving
from decision_service.log.base import EventLog, LogUnavailable
from decision_service.log.group_commit import GroupCommit
from decision_service.log.sql import SqlLog
from decision_service.projection.erased_shoppers import ErasedShoppers
from decision_service.projection.projector import Projector
from decision_service.projection.recovery import StateRecovery
from decision_service.projection.writer import Draft, LogWriter
from decision_service.queries.inspector import Inspector
from decision_service.queries.report.reporter import Reporter
from decision_service.queries.shopper_export import Export
from decision_service.queries.timeline import Timeline
from decision_service.schemas.problems import Invalid
from decision_service.schemas.requests import Body
from decision_service.settings import Settings
from decision_service.state.redis import RedisStateStore
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import ClockRow


class SettingsConflict(ValueError):
    """A setting contradicts what is stored with the data."""


class Fleet(Protocol):
    """The learner and all replicas, wherever they run."""

    async def publish(self, position: int) -> int:
        """Fold the log up to a position, publish, and return once every replica serves the version."""
        ...

    async def adopt(self, catalogue: int) -> None:
        """Return once every replica serves a version of the catalogue."""
        ...


@dataclass(frozen=True)
class Facts:
    """What is stored with the data for ever: the log's identity, the application seed, the salt of shoppers' keys."""

    log_id: str
    seed: bytes
    salt: bytes


def open_log(settings: Settings) -> SqlLog:
    """Open the log of a service."""
    return SqlLog.open(settings.database_url)


def open_registry(settings: Settings) -> SqlRegistry:
    """Open the registry of a service: a database of its own beside the log."""
    return SqlRegistry.open(f"sqlite:///{Path(settings.data_dir) / 'models.sqlite'}")


def agree(log: EventLog, settings: Settings) -> Facts:
    """Store what must never change with the data, and refuse settings that contradict it.

    Raises
    ------
    SettingsConflict
        Naming the option and what the data were made with.
    """
    clock = log.fact("clock", settings.clock)
    if clock != settings.clock:
        raise SettingsConflict(f"--clock: these data were made with the {clock} clock, not {settings.clock}")
    wanted = str(settings.seed if settings.seed is not None else secrets.randbits(63))
    seed = log.fact("seed", wanted)
    if settings.seed is not None and seed != wanted:
        raise SettingsConflict(f"--seed: these data were made with seed {seed}, not {settings.seed}")
    return Facts(log.fact("log_id", secrets.token_hex(8)), seed.encode(), _salt(log))


def _salt(log: EventLog) -> bytes:
    return log.fact("salt", secrets.token_hex(16)).encode()


def open_learner(settings: Settings) -> Learner:
    """Open the learner of a service; it follows the log once started."""
    log, clock = open_log(settings), time.time if settings.clock == "wall" else None
    return Learner(log, open_registry(settings), clock, ErasedShoppers(log, ShopperKeys(_salt(log))))


class Service:
    """One replica: everything that answers requests, composed from settings.

    Parameters
    ----------
    settings
        With ``redis_url`` set.
    fleet
        Gives the learner and all replicas, given this one's versions.
    """

    def __init__(self, settings: Settings, fleet: Callable[[Serving], Fleet]) -> None:
        if settings.redis_url is None:
            raise ValueError("a replica needs the URL of a Redis")
        self.settings = settings
        self.log: EventLog = open_log(settings)
        self.registry: Registry = open_registry(settings)
        facts = agree(self.log, settings)
        told = read_catalogue(settings.catalog) if settings.catalog is not None else None
        rulebook = catalogue_at_start(self.log, told, self._time())
        self.names = names = ShopperKeys(facts.salt)
        self.store = RedisStateStore.connect(settings.redis_url, facts.log_id)
        self.projector = Projector(self.store, self.log, names)
        self.journal = LogWriter(self.log, GroupCommit(self.log), self.projector)
        self.keeper = StateRecovery(self.store, self.journal, self.projector, self._time)
        self.versions = Serving(self.registry, self.log, rulebook, settings.policy)
        self.decider = Decider(self.versions.current, self.store, self.journal, facts.seed, names)
        wall = settings.clock == "wall"
        self.feedback = Feedback(self.store, self.journal, names, checks_future=wall)
        self.shoppers = Shoppers(self.store, self.journal, self.feedback, names, checks_future=wall)
        self.deliveries = Activations(self.store, self.journal, names, self._rulebook)
        self.eraser = Erasure(self.store, self.journal, names, self._rulebook)
        self.inspector = Inspector(self.log, self.registry)
        self.timeline = Timeline(self.log)
        self.export = Export(self.log, self.store, names)
        self.reporter = Reporter(self.log, names)
        self._fleet = fleet(self.versions)

    @property
    def rulebook(self) -> Rulebook:
        """The catalogue in force here."""
        return self.versions.current().rulebook

    def _rulebook(self) -> Rulebook:
        return self.rulebook

    def _time(self) -> float:
        """Give the time of the service: the server's, or the latest that a request has named."""
        return time.time() if self.settings.clock == "wall" else max(self.log.head().watermark, 0.0)

    async def start(self) -> None:
        """Bring the state store up, serve the latest model, and follow both."""
        await self.keeper.restore()
        await self.versions.refresh()
        self.keeper.start()
        self.versions.start()

    async def stop(self) -> None:
        """Write what is queued and let go of everything."""
        await self.keeper.stop()
        await self.versions.stop()
        await self.journal.close()
        await self.store.close()
        self.log.close()
        self.registry.close()

    async def now(self, body: Body, *, required: bool = False) -> float:
        """Give the time of a request by the clock that counts.

        Raises
        ------
        Invalid
            When ``now`` is given under the wall clock, or is required and missing.
        """
        told = getattr(body, "now", None)
        if self.settings.clock == "wall":
            if told is not None:
                raise Invalid.field("now", "is only possible with the request clock (serve --clock request)")
            return time.time()
        if told is not None:
            return float(told.timestamp())
        if required:
            raise Invalid.field("now", "is required with the request clock")
        return await asyncio.to_thread(self._time)

    async def reach(self, now: float) -> int:
        """Let time reach a moment: what was logged before is folded, published and served everywhere."""
        head = await asyncio.to_thread(self.log.head)
        if now > head.watermark:
            await self.journal.append(Draft(ClockRow(at=now)))
            head = await asyncio.to_thread(self.log.head)
        return await self._fleet.publish(head.position)

    async def put_catalogue(self, document: Mapping[str, Any]) -> int:
        """Let another catalogue come into force on every replica; give its version.

        Raises
        ------
        Invalid
            When the document is no catalogue, every mistake named by its path: the old one stays in force.
        Unavailable
            When not every replica serves it yet; they will, soon.
        """
        catalogue = await asyncio.to_thread(validate_catalogue, document)
        version = await asyncio.to_thread(append_catalogue, self.log, catalogue, self._time(), "api")
        await self._fleet.adopt(version)
        head = await asyncio.to_thread(self.log.head)
        await self.journal.contained(head.position)
        return version

    async def is_ready(self) -> dict[str, bool]:
        """Ask the parts that a decision needs which of them are at hand; a model always is."""
        return {"state": await self.keeper.is_whole(), "log": await asyncio.to_thread(self._has_log), "model": True}

    def _has_log(self) -> bool:
        try:
            self.log.head()
        except LogUnavailable:
            return False
        return True

    def is_fresh(self) -> bool:
        """Tell whether nothing has been asked or told yet: the log holds no more than what a start writes."""
        kinds = ("decision", "outcome", "event", "preferences", "clock")
        return all(self.log.last_of_kind(kind) is None for kind in kinds)


class LocalFleet:
    """A learner and one replica in this process."""

    def __init__(self, learner: Learner, versions: Serving) -> None:
        self._learner = learner
        self._versions = versions

    async def publish(self, position: int) -> int:
        """Fold, publish and serve."""
        await asyncio.to_thread(self._learner.catch_up, position)
        return (await self._versions.refresh()).model

    async def adopt(self, catalogue: int) -> None:
        """Serve the latest catalogue."""
        await self._versions.refresh()
