"""A log in memory: the rows of a simulated shop, with the reading methods of the service's log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from decision_service.log.base import StoredRow
from policies.catalogue.rulebook import Rulebook
from policies.models.learned import DEFAULT, LEARNING
from policies.models.policy import Policy
from policies.records.rows import CatalogueRow, ClockRow, Row, encode
from policies.records.watermark import watermark_after
from simulators.shops.base import Arrival
from simulators.shops.learning import LearningPolicy
from simulators.shops.local import PolicySource


@dataclass
class LogInMemory:
    """Rows in memory, with the reading methods of the service's log."""

    rows: list[StoredRow] = field(default_factory=list)
    _by_event: dict[str, list[StoredRow]] = field(default_factory=dict)
    _watermark: float = float("-inf")

    def add(self, row: Row) -> None:
        self._watermark = watermark_after(self._watermark, row)
        event_id, shopper_id = getattr(row, "event_id", None), getattr(row, "shopper_id", None)
        position = len(self.rows) + 1
        stored = StoredRow(position, row.kind, row.at, self._watermark, 0, event_id, shopper_id, encode(row))
        self.rows.append(stored)
        if event_id is not None:
            self._by_event.setdefault(event_id, []).append(stored)

    def read(self, after: int, limit: int, kinds: Collection[str] | None = None) -> list[StoredRow]:
        return [row for row in self.rows[after : after + limit] if kinds is None or row.kind in kinds]

    def find_by_event(self, event_ids: Sequence[str]) -> list[StoredRow]:
        return [row for event_id in event_ids for row in self._by_event.get(event_id, ())]


def make_learner(rulebook: Rulebook, epsilon: float) -> LearningPolicy:
    """Return a policy source that learns as the service does, with another floor ε."""

    def make_version(payload: bytes, rulebook: Rulebook, version: int) -> Policy:
        return replace(LEARNING.make_version(payload, rulebook, version), epsilon=epsilon)

    def make(rulebook: Rulebook) -> Policy:
        return replace(DEFAULT.make(rulebook), epsilon=epsilon)

    learning = replace(LEARNING, make_version=make_version)
    return LearningPolicy(rulebook, replace(DEFAULT, make=make, learning=learning))


class LoggedPolicySource:
    """Passes everything on to another policy source, and keeps the rows as a log."""

    def __init__(self, inner: PolicySource, rulebook: Rulebook) -> None:
        self._inner = inner
        self.log = LogInMemory()
        self.log.add(CatalogueRow(0.0, rulebook.version, rulebook.catalogue.to_document()))

    def policy_for(self, arrivals: Sequence[Arrival]) -> Policy:
        return self._inner.policy_for(arrivals)

    def fold(self, row: Row) -> None:
        self.log.add(row)
        self._inner.fold(row)

    def advance_clock(self, now: float) -> None:
        self.log.add(ClockRow(now))
        self._inner.advance_clock(now)
