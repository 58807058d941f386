"""The learner: the one process that folds the log into the model and publishes versions."""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf

import msgspec

from decision_service.learning.registry.base import (
    Checkpoint,
    CheckpointConflict,
    Registry,
    RegistryUnavailable,
    Version,
)
from decision_service.learning.related_rows import RelatedRows
from decision_service.log.base import EventLog, LogUnavailable, NewRow
from decision_service.log.condition import AppendCondition
from decision_service.log.keys import activation_key
from decision_service.log.reading import read_batches
from decision_service.projection.erased_shoppers import ErasedShoppers
from decision_service.projection.same_log import find_contradiction
from decision_service.state.contents import ContainedLog
from policies.catalogue.action_space import ActionSpace
from policies.catalogue.document import Catalogue
from policies.learning.fold import Learning
from policies.learning.model_learner import ModelMismatch
from policies.models.learned import DEFAULT
from policies.models.registry import find_learning
from policies.records.reasons import Reason
from policies.records.rows import ActivationRow, CatalogueRow, ClockRow, DecisionRow, Row

_PUBLISH_EVERY_S = 2.0
_SAVE_EVERY_S = 30.0
_LOOK_EVERY_S = 0.1
_CLOCK_EVERY_S = 1.0

_UNREADABLE = (msgspec.DecodeError, struct.error, ValueError, RuntimeError)
"""What damaged bytes of a checkpoint raise."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far the learner is."""

    position: int
    learned: int
    version: int
    open_windows: int


class Learner:
    """Folds the log in position order, each position once, and publishes versions.

    The state of learning is saved with every version by compare-and-swap: a learner that crashed continues from there
    to the same bytes, and of two learners one starts again from the other's checkpoint.

    Parameters
    ----------
    log, registry
        Where rows are read and versions are published.
    wall_clock
        The clock in wall mode: versions are then published every `_PUBLISH_EVERY_S`, and time passes for open windows
        although nothing arrives. None in request mode, where `catch_up` publishes.
    erased_shoppers
        Brings the rows of one shopper together where some were folded before an erasure rewrites the others.
    policy
        The name of the policy in service. Where this policy does not learn, the default one learns beside.
    """

    def __init__(
        self,
        log: EventLog,
        registry: Registry,
        wall_clock: Callable[[], float] | None,
        erased_shoppers: ErasedShoppers,
        policy: str = DEFAULT.name,
    ) -> None:
        self._log = log
        self._policy, self._make_learner = policy, find_learning(policy).make_learner
        self._registry = registry
        self._clock = wall_clock
        self._related = RelatedRows(log)
        self._owner = erased_shoppers.key_of
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._space: ActionSpace | None = None
        self._saved: int | None = None
        self._is_continued = True
        """Whether the fold goes on from the saved checkpoint; if not, the next save replaces the checkpoint."""
        self._version = self._published = 0
        self._highest = 0
        """The highest version that a decision was made with: a registry that was lost does not know its versions."""

        self._learning = self._load()

    def _load(self) -> Learning:
        """Read the saved state; change nothing where log or registry cannot be read."""
        latest, checkpoint = self._log.find_last(CatalogueRow.kind), self._registry.checkpoint()
        published = next(iter(self._registry.history(1)), Version(0, None, {}))
        self._version, self._published = published.number, published.metadata.get("steps", 0)
        self._saved = checkpoint.position if checkpoint else None
        if latest is not None:
            self._space = _space(latest.row)
        if checkpoint is None:
            return self._begin()
        learning, obstacle = self._continue(checkpoint)
        self._is_continued = obstacle is None
        if obstacle is not None:
            _logger.warning("%s, so learning begins again with the first row", obstacle)
            self._published = 0  # the latest version may have learned other rows
        return learning

    def _begin(self) -> Learning:
        """Return a state without rows."""
        return Learning(self._related.find, self._make_learner, self._owner)

    def _continue(self, checkpoint: Checkpoint) -> tuple[Learning, str | None]:
        """Return the saved state; or a state without rows, and why the saved state cannot be continued."""
        obstacle: str | None
        try:
            learning = Learning.from_bytes(checkpoint.payload, self._related.find, self._make_learner, self._owner)
        except _UNREADABLE as error:
            obstacle = f"the checkpoint cannot be read ({error})"
        else:
            contradiction = find_contradiction(ContainedLog(learning.position, learning.mark), self._log)
            if contradiction is None:
                return learning, None
            obstacle = f"the checkpoint contains {contradiction}"
        return self._begin(), obstacle

    @property
    def progress(self) -> Progress:
        """How far the learner is."""
        learning = self._learning
        return Progress(learning.position, learning.learned, self._version, learning.attribution.open_windows)

    @property
    def _has_news(self) -> bool:
        """Whether something was learned, by whatever learner, that the latest version lacks."""
        return self._learning.steps != self._published

    @property
    def is_alive(self) -> bool:
        """Whether the thread that follows the log runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Follow the log in a new thread."""
        self._thread = threading.Thread(target=self._run, name="learner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Fold the rest of the log and save the state, unless log or registry are away; then close both."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        try:
            with self._turn():
                self._fold()
                self._save(publish=self._clock is not None)
        except (LogUnavailable, RegistryUnavailable) as error:
            _logger.warning("learning ends before the end of the log: %s", error)
        finally:
            self._log.close()
            self._registry.close()

    def catch_up(self, position: int) -> int:
        """Fold at least up to a position, publish what was learned, and return the latest version."""
        with self._turn():
            self._fold(position)
            if self._expire():
                self._fold()
            self._save(publish=True)
            return self._version

    def _run(self) -> None:
        since_save = since_clock = 0.0
        while not self._stopped.wait(_LOOK_EVERY_S):
            since_save, since_clock = since_save + _LOOK_EVERY_S, since_clock + _LOOK_EVERY_S
            try:
                with self._turn():
                    folded = self._fold()
                    if folded and self._expire():
                        self._fold()
                    if folded:
                        since_clock = 0.0
                    elif since_clock >= _CLOCK_EVERY_S:
                        since_clock = 0.0
                        self._tick()
                    due = self._clock is not None and self._has_news and since_save >= _PUBLISH_EVERY_S
                    if due or since_save >= _SAVE_EVERY_S:
                        since_save = 0.0
                        self._save(publish=due)
            except (LogUnavailable, RegistryUnavailable) as error:
                _logger.warning("learning waits: %s", error)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Take turns; a fold that broke off within a row has lost windows, so it starts again from the saved state."""
        with self._lock:
            if not self._learning.is_whole:
                self._learning = self._load()
            yield

    def _fold(self, until: float = inf) -> int:
        """Fold the log to its end or up to a position; return the number of rows."""
        folded = 0
        for batch in read_batches(self._log, self._learning.position, until):
            self._related.read_ahead(self._learning.attribution.find_lookups(stored.row for stored in batch))
            for stored in batch:
                self._fold_row(stored.position, stored.row)
            folded += len(batch)
        return folded

    def _fold_row(self, position: int, row: Row) -> None:
        if isinstance(row, CatalogueRow):
            self._space = _space(row)
        elif isinstance(row, DecisionRow):
            self._highest = max(self._highest, row.policy.version)
        self._learning.fold(position, row)

    def _expire(self) -> int:
        """Log which deferred sends were never activated, so that every fold releases their places."""
        attribution = self._learning.attribution
        rows = [
            ActivationRow(
                at=attribution.watermark,
                event_id=window.event_id,
                shopper_id=window.shopper_id,
                deliver=False,
                reason=Reason.expired.name,
            )
            for window in attribution.never_activated()
        ]
        if rows:
            self._log.append([_expiry(row) for row in rows])
        return len(rows)

    def _tick(self) -> None:
        """Let time pass for windows that nothing else would close."""
        attribution = self._learning.attribution
        if self._clock is not None and (attribution.open_windows or attribution.waiting):
            row = ClockRow(at=self._clock())
            self._log.append([NewRow(row)])

    def _save(self, *, publish: bool) -> None:
        """Save the checkpoint, and with ``publish`` a new version if something was learned."""
        learning = self._learning
        model = self._proven_payload() if publish and self._has_news else None
        if model is None and learning.position == (self._saved or 0) and self._is_continued:
            return
        metadata = {
            "at": learning.attribution.watermark,
            "learned": learning.learned,
            "steps": learning.steps,
            "position": learning.position,
            "policy": self._policy,
        }
        checkpoint = Checkpoint(learning.position, learning.to_bytes())
        try:
            self._version = self._registry.save(
                self._saved, checkpoint, model=model, metadata=metadata, after=self._highest
            )
        except CheckpointConflict as conflict:
            _logger.warning("starting again from another learner's work: %s", conflict)
            self._learning = self._load()
            return
        self._saved, self._is_continued = learning.position, True
        if model is not None:
            self._published = learning.steps

    def _proven_payload(self) -> bytes | None:
        """Return the model as it is published; None, and a logged error, when it must not be served."""
        payload = self._learning.publish()
        try:
            if self._space is not None:
                self._learning.learner.prove(payload, self._space, self._learning.inputs)
        except ModelMismatch as error:
            _logger.error("the model is not published: %s", error)
            return None
        return payload


def _expiry(row: ActivationRow) -> NewRow:
    """Return a row that is not written if the shopper was erased, or the clock corrected, meanwhile.

    The next call knows the pseudonym, and the time.
    """
    condition = AppendCondition(event_owner=row.shopper_id, watermark_from=row.at)
    return NewRow(row, activation_key(row.event_id), condition)


def _space(row: Row) -> ActionSpace | None:
    return ActionSpace.of(Catalogue.from_stored(row.document)) if isinstance(row, CatalogueRow) else None
