"""Decision histories: what became of a decision, as the inspector, the timeline and the activation gate need it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from msgspec import UNSET

from decision_service.log.base import EventLog, StoredRow
from decision_service.log.condition import CONSENT_KINDS
from decision_service.log.keys import outcome_key
from decision_service.log.reading import read_rows
from decision_service.schemas.decision_answer import iso
from decision_service.schemas.reading_answers import ActivationAnswer, OutcomeAnswer, VoidedAnswer
from decision_service.state.shopper_keys import is_pseudonym
from policies.records.reasons import Reason
from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    DecisionRow,
    ErasureRow,
    OutcomeRow,
)
from policies.sends import StatusChange, is_late, is_withdrawal, status_of

NOT_EXCLUDED = (Reason.eligible, Reason.not_a_candidate)
"""Verdicts of joint actions that no rule excluded."""

_BATCH = 500


def read_history(log: EventLog, event_id: str) -> DecisionHistory | None:
    """Read the history of a decision, without the rows by which its shopper withdrew consent.

    Returns None where the log has no such decision.
    """
    rows = log.find_by_event([event_id])
    return next(
        (DecisionHistory(stored.position, stored.row, rows) for stored in rows if isinstance(stored.row, DecisionRow)),
        None,
    )


def add_withdrawals(log: EventLog, history: DecisionHistory) -> DecisionHistory:
    """Read also the rows by which the decision's shopper withdrew consent, where they matter to it."""
    if not history.decision.is_delivered:
        return history
    return replace(history, withdrawals=read_withdrawals(log, history.decision.shopper_id, history.position))


def read_withdrawals(log: EventLog, shopper_id: str, after: int) -> list[StoredRow]:
    """Read the rows after a position that may take back sends of a shopper, in position order."""
    rows = _read_consent_rows(log, shopper_id, after)
    return [*rows, *(_read_erasures(log, after) if is_pseudonym(shopper_id) else ())]


def _read_erasures(log: EventLog, after: int) -> Iterator[StoredRow]:
    """Read all erasures: they are filed under the erased shopper's key, and name the decisions that they end."""
    return read_rows(log, after, kinds=(ErasureRow.kind,))


def _read_consent_rows(log: EventLog, shopper_id: str, after: int) -> list[StoredRow]:
    withdrawals: list[StoredRow] = []
    before: int | None = None
    while True:
        page = log.find_by_shopper(shopper_id, _BATCH, before, CONSENT_KINDS)
        later = [stored for stored in page if stored.position > after]
        withdrawals += (stored for stored in later if is_withdrawal(stored.row))
        if len(later) < _BATCH:
            return withdrawals[::-1]
        before = later[-1].position


@dataclass(frozen=True)
class DecisionHistory:
    """A decision with everything that was logged about it since.

    Parameters
    ----------
    position
        The position of the decision in the log.
    rows
        All rows of its event id, in position order.
    withdrawals
        The later rows by which its shopper withdrew consent, in position order.
    """

    position: int
    decision: DecisionRow
    rows: Sequence[StoredRow]
    withdrawals: Sequence[StoredRow] = ()

    def status(self, now: float) -> StatusChange:
        """Return what has become of the decision by a time."""
        later = {
            stored.position: stored.row for stored in (*self.rows, *self.withdrawals) if stored.position > self.position
        }
        return status_of(self.decision, sorted(later.items()), now)

    @property
    def activation(self) -> ActivationRow | None:
        """What the activation gate answered, None where it was not asked."""
        return next((stored.row for stored in self.rows if isinstance(stored.row, ActivationRow)), None)

    @property
    def cancellation(self) -> CancellationRow | None:
        """The caller's cancellation, None where there is none."""
        return next((stored.row for stored in self.rows if isinstance(stored.row, CancellationRow)), None)

    @property
    def counts_from(self) -> int | None:
        """The position from which it counts as sent; None for a deferred one that nobody activated."""
        if not self.decision.deferred:
            return self.position
        rows = ((stored.position, stored.row) for stored in self.rows)
        return next((position for position, row in rows if isinstance(row, ActivationRow) and row.deliver), None)

    @property
    def outcomes(self) -> list[OutcomeRow]:
        """Its outcomes in the order in which they were stored."""
        return [row for row, _ in self._outcomes]

    @property
    def _outcomes(self) -> Iterable[tuple[OutcomeRow, float]]:
        """Its outcomes with the watermarks at which they were stored.

        Of an outcome that was logged again when its decision was known, the first row counts.
        """
        outcomes: dict[str, tuple[OutcomeRow, float]] = {}
        for stored in self.rows:
            if isinstance(stored.row, OutcomeRow):
                outcomes.setdefault(outcome_key(stored.row), (stored.row, stored.watermark))
        return outcomes.values()

    def outcome_answers(self) -> list[OutcomeAnswer]:
        """Return the outcomes as they are shown, with whether they missed the attribution window."""
        return [self._outcome_answer(row, watermark) for row, watermark in self._outcomes]

    def _outcome_answer(self, row: OutcomeRow, watermark: float) -> OutcomeAnswer:
        ends_at = self.decision.window_ends_at
        return OutcomeAnswer(
            type=row.type,
            at=iso(row.occurred_at),
            logged_at=iso(row.at),
            value=row.value,
            feedback_id=row.feedback_id,
            late=ends_at is not None and is_late(ends_at, row.occurred_at, watermark),
            machine=row.machine or UNSET,
            permanent=row.permanent or UNSET,
        )

    def status_fields(self, now: float) -> dict[str, Any]:
        """Return the status as it is shown, with the facts behind it; null where something did not happen."""
        known, asked, cancelled = self.status(now), self.activation, self.cancellation
        is_voided = known.status.name == "voided"
        return {
            "status": known.status.name,
            "deferred": self.decision.deferred,
            "activation": None if asked is None else ActivationAnswer(iso(asked.at), asked.deliver, asked.reason),
            "cancelled_at": None if cancelled is None else iso(cancelled.at),
            "voided": VoidedAnswer(iso(known.at), known.reason, known.position) if is_voided else None,
        }
