"""A small log of the service, written row by row with the real `decide` and the real SQLite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from decision_service.log.base import NewRow
from decision_service.log.sql import SqlLog
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.decide import decide
from policies.decision_row import decision_row, degraded_row
from policies.models.policy import Policy
from policies.models.rule import rule_policy
from policies.records.request import Request
from policies.records.rows import CatalogueRow, ClockRow, DecisionRow, OutcomeRow, Row
from policies.shopper.state import NEW_SHOPPER
from tests.factories import NOW, small_document, trigger

CHANCE = {"push": 0.5, "email": 0.2}
"""How likely a click is, by channel."""


class SmallLog:
    """Writes rows to a log in a directory, as the service names its file."""

    def __init__(self, directory: Path, document: dict[str, Any] | None = None) -> None:
        self.directory = directory
        self.log = SqlLog.open(f"sqlite:///{directory / 'decisions.sqlite'}")
        self._waiting: list[NewRow] = []
        self.document = document or small_document()
        self.rulebook = Rulebook.of(Catalogue.from_document(self.document), 1)
        self.append(CatalogueRow(at=NOW, version=1, document=self.document), key="catalogue\x1f1")

    def append(self, row: Row, key: str | None = None) -> None:
        self._waiting.append(NewRow(row, key))

    def flush(self) -> None:
        """Write what is waiting: one transaction each would take seconds."""
        self.log.append(self._waiting)
        self._waiting = []

    def decide(self, number: int, policy: Policy | None = None, **changes: Any) -> DecisionRow:
        request = Request(
            f"e-{number}",
            changes.pop("shopper_id", f"s-{number % 50}"),
            changes.pop("triggers", (trigger(expires_at=NOW + 1e7),)),
            NOW + number,
            {"device": "mobile" if number % 3 else "desktop", "recent_sends": number % 5},
        )
        decision = decide(request, NEW_SHOPPER, self.rulebook, policy or rule_policy(epsilon=0.5), b"seed")
        row = msgspec.structs.replace(decision_row(decision), **changes)
        self.append(row, key=f"decision\x1f{row.event_id}")
        return row

    def write_degraded(self, number: int) -> None:
        request = Request(f"e-{number}", "s-d", (trigger(),), NOW + number)
        self.append(degraded_row(request, self.rulebook, rule_policy().record, {}, held_out=False))

    def outcome(self, row: DecisionRow, kind: str = "click", after: float = 1.0, **changes: Any) -> None:
        at = (row.send_at or row.at) + after
        values: dict[str, Any] = {"shopper_id": row.shopper_id, "channel": row.channel} | changes
        self.append(OutcomeRow(at=row.at + after, event_id=row.event_id, type=kind, occurred_at=at, **values))

    def clock(self, at: float = NOW + 30 * 86_400.0) -> None:
        self.append(ClockRow(at=at))
        self.flush()

    def fill(self, count: int, seed: int = 1, policy: Policy | None = None) -> None:
        """Write decisions that are answered as `CHANCE` says, then let all windows end."""
        random = np.random.default_rng(seed)
        for number in range(count):
            row = self.decide(number, policy)
            if row.is_delivered and random.random() < CHANCE[row.channel or ""]:
                self.outcome(row)
        self.clock()
