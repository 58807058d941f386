"""The service: wires the parts. The one composition root; it knows no Ray, so tests need no cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import UNSET

from decision_service import metrics
from decision_service.catalogues.dropped_names import find_dropped_names
from decision_service.catalogues.file import read_catalogue
from decision_service.catalogues.versions import append_catalogue, check_catalogue, rulebook_at_start
from decision_service.commands.activation import Activations
from decision_service.commands.erasure import Erasure
from decision_service.commands.feedback import Feedback
from decision_service.commands.preferences import Preferences
from decision_service.commands.shopper_events import ShopperEvents
from decision_service.commands.withdrawing_log import WithdrawingLog
from decision_service.database.sqlite_url import make_url
from decision_service.errors import Invalid, Unavailable
from decision_service.learning.fleet import Fleet
from decision_service.learning.learner import Learner
from decision_service.learning.registry.base import Registry
from decision_service.learning.registry.sql import SqlRegistry
from decision_service.learning.serving import Serving
from decision_service.log.base import EventLog, NewRow
from decision_service.log.clock import WALL, ServiceClock
from decision_service.log.facts import agree_on_facts, store_salt
from decision_service.log.group_commit import GroupCommit
from decision_service.log.sql import SqlLog
from decision_service.periodic import PeriodicTask
from decision_service.pipeline.decider import Decider
from decision_service.pipeline.parts import Parts
from decision_service.pipeline.request_reader import RequestReader
from decision_service.projection.clock_watch import ClockWatch
from decision_service.projection.erased_shoppers import ErasedShoppers
from decision_service.projection.projector import Projector
from decision_service.projection.recovery import StateRecovery
from decision_service.projection.writer import LogWriter
from decision_service.queries.inspector import Inspector
from decision_service.queries.report.reporter import Reporter
from decision_service.queries.shopper_export import Export
from decision_service.queries.timeline import Timeline
from decision_service.schemas.body_types import Body, StructBody
from decision_service.schemas.command_answers import CatalogueVersionAnswer
from decision_service.settings import Settings
from decision_service.state.base import StateStore, StateUnavailable
from decision_service.state.redis import RedisStateStore
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import ClockRow, DecisionRow, EventRow, OutcomeRow, PreferencesRow
from policies.rules.budget import utc_day

_MEASURE_EVERY_S = 0.5


def open_log(settings: Settings) -> SqlLog:
    """Open the log of a service."""
    return SqlLog.open(settings.database_url)


def open_registry(settings: Settings) -> SqlRegistry:
    """Open the registry of a service: a database of its own beside the log."""
    return SqlRegistry.open(make_url(settings.data_dir / "models.sqlite"))


def open_learner(settings: Settings) -> Learner:
    """Open the learner of a service; it follows the log once started."""
    log, clock = open_log(settings), time.time if settings.clock == WALL else None
    erased = ErasedShoppers(log, ShopperKeys(store_salt(log)))
    return Learner(log, open_registry(settings), clock, erased, settings.policy)


class Service:
    """One replica: everything that answers requests, composed from settings.

    Parameters
    ----------
    settings
        With ``redis_url`` set.
    fleet
        Returns the fleet that this replica belongs to.
    """

    def __init__(self, settings: Settings, fleet: Callable[[Serving], Fleet]) -> None:
        if settings.redis_url is None:
            raise ValueError("a replica needs the URL of a Redis")
        self.settings = settings
        self.log: EventLog = open_log(settings)
        self.registry: Registry = open_registry(settings)
        facts = agree_on_facts(self.log, settings.clock, settings.seed)
        self.clock = clock = ServiceClock(settings.clock, self.log)
        from_file = read_catalogue(settings.catalog) if settings.catalog is not None else None
        rulebook = rulebook_at_start(self.log, from_file, clock.now())
        self.shopper_keys = shopper_keys = ShopperKeys(facts.salt)
        self.store: StateStore = RedisStateStore(settings.redis_url, facts.log_id)
        self.projector = Projector(self.store, self.log, shopper_keys)
        self.log_writer = LogWriter(self.log, GroupCommit(self.log), self.projector)
        self.recovery = StateRecovery(self.store, self.log_writer, self.projector, clock.now)
        self.clock_watch = ClockWatch(self.log_writer, clock)
        self.versions = Serving(self.registry, self.log, rulebook, settings.policy, settings.hold_share)
        requests = RequestReader(checks_future=clock.is_wall)
        self.decider = Decider(
            Parts(self.versions.current, self.store, self.log_writer, facts.seed, shopper_keys, requests)
        )
        withdrawing_log = WithdrawingLog(self.store, self.log_writer)
        self.feedback = Feedback(
            self.log_writer, withdrawing_log, shopper_keys, self._rulebook, checks_future=clock.is_wall
        )
        self.shopper_events = ShopperEvents(self.log_writer, self._rulebook, checks_future=clock.is_wall)
        self.preferences = Preferences(self.store, self.log_writer, withdrawing_log, shopper_keys, self._rulebook)
        self.activations = Activations(self.store, self.log_writer, shopper_keys, self._rulebook)
        self.erasure = Erasure(self.store, self.log_writer, shopper_keys)
        self.inspector = Inspector(self.log, self.registry)
        self.timeline = Timeline(self.log)
        self.export = Export(self.log, self.store, shopper_keys)
        self.reporter = Reporter(self.log, shopper_keys)
        self._fleet = fleet(self.versions)
        self._measure = PeriodicTask(self._measure_once, _MEASURE_EVERY_S)

    @property
    def rulebook(self) -> Rulebook:
        """The catalogue in force here."""
        return self.versions.current().rulebook

    def _rulebook(self) -> Rulebook:
        return self.rulebook

    async def start(self) -> None:
        """Bring the state store up, serve the latest model, and follow both."""
        await self.recovery.restore()
        await self.versions.refresh()
        self.recovery.start()
        self.clock_watch.start()
        self.versions.start()
        self._measure.start()

    async def stop(self) -> None:
        """Write what is queued and close everything."""
        await self._measure.stop()
        await self.recovery.stop()
        await self.clock_watch.stop()
        await self.versions.stop()
        await self.decider.close()
        await self.log_writer.close()
        await self.store.close()
        self.log.close()
        self.registry.close()

    def set_gauges(self) -> None:
        """Set this replica's gauges to what is true now."""
        gauges = metrics.replica_gauges()
        gauges.model_version.set(self.versions.current().policy.version)
        gauges.state_trusted.set(self.store.incarnation is not None)

    async def _measure_once(self) -> None:
        # Another replica may be asked for the metrics, and answers with what is true here.
        self.set_gauges()

    async def now(self, body: Body | StructBody | None = None, *, required: bool = False) -> float:
        """Return the time of a request: the time that its body names, or else the time of the clock.

        A request without a body names no time.

        Raises
        ------
        Invalid
            When the body names a time under the wall clock, or names none although the request clock requires it.
        """
        named = getattr(body, "now", None)
        if named is not None and self.clock.is_wall:
            raise Invalid.field("now", "is only possible with the request clock (serve --clock request)")
        if named is not None:
            return float(named.timestamp())
        if required and not self.clock.is_wall:
            raise Invalid.field("now", "is required with the request clock")
        return self.clock.now() if self.clock.is_wall else await asyncio.to_thread(self.clock.now)

    async def reach(self, now: float) -> int:
        """Advance the log's time to ``now``, then learn from all rows; return the version that every replica serves."""
        head = await asyncio.to_thread(self.log.head)
        if now > head.watermark:
            await self.log_writer.append(NewRow(ClockRow(at=now)))
            head = await asyncio.to_thread(self.log.head)
        return await self._fleet.publish(head.position)

    async def put_catalogue(self, document: Mapping[str, Any]) -> CatalogueVersionAnswer:
        """Put another catalogue into force on every replica; return its version, and which names in use it dropped.

        Raises
        ------
        Invalid
            When the document is no catalogue, with the path of every mistake: the old one stays in force.
        Unavailable
            When not every replica serves it yet; soon they will.
        """
        before, catalogue = self.rulebook.catalogue, await asyncio.to_thread(check_catalogue, document)
        version = await asyncio.to_thread(append_catalogue, self.log, catalogue, self.clock.now(), "api")
        try:
            await self.recovery.check()  # before a decision looks further back than the states
        except StateUnavailable as away:
            raise Unavailable("the states are not folded again for this catalogue yet; soon they will be") from away
        await self._fleet.adopt(version)
        head = await asyncio.to_thread(self.log.head)
        await self.log_writer.wait_until_contained(head.position)
        warnings = await find_dropped_names(before, catalogue, self.store, utc_day(self.clock.now()))
        return CatalogueVersionAnswer(version, warnings or UNSET)

    async def is_ready(self) -> dict[str, bool]:
        """Return which of the parts that a decision needs are available; a model always is."""
        return {"state": await self.recovery.is_whole(), "log": await self.log_writer.is_writable(), "model": True}

    def is_fresh(self) -> bool:
        """Return whether the log contains only the rows that a start writes."""
        kinds = (DecisionRow.kind, OutcomeRow.kind, EventRow.kind, PreferencesRow.kind, ClockRow.kind)
        return all(self.log.find_last(kind) is None for kind in kinds)
