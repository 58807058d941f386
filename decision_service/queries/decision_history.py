"""Accounts: what became of a decision, as the inspector and the timeline tell it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from decision_service.log.base import EventLog, StoredRow
from decision_service.log.condition import CONSENT_KINDS
from decision_service.log.keys import outcome_key
from decision_service.log.reading import read_rows
from decision_service.schemas.decision_answer import iso
from decision_service.state.shopper_keys import is_pseudonym
from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    DecisionRow,
    ErasureRow,
    OutcomeRow,
)
from policies.sends import SendStatus, is_late, is_withdrawal, status_of

_BATCH = 500


def withdrawals(log: EventLog, shopper_id: str, after: int) -> list[StoredRow]:
    """Give the rows after a position that may keep back sends of a shopper, in position order."""
    return [*_own_withdrawals(log, shopper_id, after), *(_erasures(log, after) if is_pseudonym(shopper_id) else ())]


def _erasures(log: EventLog, after: int) -> Iterator[StoredRow]:
    """Give erasures: they are filed under the erased shopper's key, and name the decisions that they end."""
    return read_rows(log, after, kinds=(ErasureRow.kind,))


def _own_withdrawals(log: EventLog, shopper_id: str, after: int) -> list[StoredRow]:
    found: list[StoredRow] = []
    before: int | None = None
    while True:
        rows = log.find_by_shopper(shopper_id, _BATCH, before, CONSENT_KINDS)
        later = [row for row in rows if row.position > after]
        found += (each for each in later if is_withdrawal(each.row))
        if len(later) < _BATCH:
            return found[::-1]
        before = later[-1].position


@dataclass(frozen=True)
class DecisionHistory:
    """A decision with everything that was said of it since.

    ``own`` are the rows of its event id, ``withdrawing`` those by which its shopper withdrew consent, both in
    position order.
    """

    position: int
    decision: DecisionRow
    own: Sequence[StoredRow]
    withdrawing: Sequence[StoredRow] = ()

    def status(self, now: float) -> SendStatus:
        """Tell what has become of it by a time."""
        later = {each.position: each.row for each in (*self.own, *self.withdrawing) if each.position > self.position}
        return status_of(self.decision, sorted(later.items()), now)

    @property
    def counts_from(self) -> int | None:
        """The position from which it counts as sent; None for a deferred one that nobody activated."""
        activated = (each.position for each in self.own if isinstance(each.row, ActivationRow) and each.row.deliver)
        return next(activated, None) if self.decision.deferred else self.position

    @property
    def outcomes(self) -> list[OutcomeRow]:
        """Its outcomes in the order in which they were logged."""
        return [row for row, _ in self._outcomes]

    @property
    def _outcomes(self) -> Iterable[tuple[OutcomeRow, float]]:
        """Its outcomes with the watermarks they came at, one told again when its decision was known as first told."""
        told: dict[str, tuple[OutcomeRow, float]] = {}
        for each in self.own:
            if isinstance(each.row, OutcomeRow):
                told.setdefault(outcome_key(each.row), (each.row, each.watermark))
        return told.values()

    def told_outcomes(self) -> list[dict[str, Any]]:
        """Tell the outcomes, and which of them missed the attribution window."""
        return [self._outcome(row, watermark) for row, watermark in self._outcomes]

    def _outcome(self, row: OutcomeRow, watermark: float) -> dict[str, Any]:
        ends_at = self.decision.window_ends_at
        return {
            "type": row.type,
            "at": iso(row.occurred_at),
            "logged_at": iso(row.at),
            "value": row.value,
            "feedback_id": row.feedback_id,
            "late": ends_at is not None and is_late(ends_at, row.occurred_at, watermark),
        }

    def status_fields(self, now: float) -> dict[str, Any]:
        """Tell what has become of it, with the facts that say so; the fields of a thing not done are null."""
        known = self.status(now)
        asked = next((each.row for each in self.own if isinstance(each.row, ActivationRow)), None)
        cancelled = next((each.row for each in self.own if isinstance(each.row, CancellationRow)), None)
        voided = known if known.status == "voided" else None
        return {
            "status": known.status,
            "deferred": self.decision.deferred,
            "activation": asked and {"at": iso(asked.at), "deliver": asked.deliver, "reason": asked.reason},
            "cancelled_at": None if cancelled is None else iso(cancelled.at),
            "voided": voided and {"at": iso(voided.at), "by": voided.reason, "log_position": voided.position},
        }
