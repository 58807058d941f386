"""Decision histories: what became of a decision, as the inspector, the timeline and the activation gate need it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from msgspec import UNSET

from decision_service.log.base import EventLog, StoredRow
from decision_service.log.condition import CONSENT_KINDS, ENDING_KINDS
from decision_service.log.keys import outcome_key
from decision_service.log.reading import read_rows
from decision_service.schemas.decision_answer import iso, optional_iso
from decision_service.schemas.reading_answers import ActivationAnswer, OutcomeAnswer, VoidedAnswer
from decision_service.state.shopper_keys import is_pseudonym
from policies.records.reasons import Reason
from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    DecisionRow,
    ErasureRow,
    OutcomeRow,
    Row,
)
from policies.sends.concerns import concerns_all_sends, is_late
from policies.sends.departure import departure_time
from policies.sends.life import status_of, stop_of
from policies.sends.status import StatusChange

NOT_EXCLUDED = (Reason.eligible, Reason.not_a_candidate)
"""Verdicts of joint actions that no rule excluded."""

_BATCH = 500


def read_history(log: EventLog, event_id: str) -> DecisionHistory | None:
    """Read the history of a decision, without the rows that concern all sends of its shopper.

    Returns None where the log has no such decision.
    """
    rows = log.find_by_event([event_id])
    return next(
        (DecisionHistory(stored.position, stored.row, rows) for stored in rows if isinstance(stored.row, DecisionRow)),
        None,
    )


def add_shopper_rows(log: EventLog, history: DecisionHistory) -> DecisionHistory:
    """Read also the rows that concern all sends of the decision's shopper, where they matter to the decision."""
    decision = history.decision
    if not decision.is_delivered:
        return history
    return replace(history, shopper_rows=read_shopper_rows(log, decision.shopper_id, [decision], history.position))


def read_shopper_rows(log: EventLog, shopper_id: str, decisions: Iterable[DecisionRow], after: int) -> list[StoredRow]:
    """Read the rows after a position that may take back these sends of a shopper, in position order.

    Shopper events are many, and read only where an event may end the trigger of one of the sends.
    """
    may_end = any(decision.ends_on for decision in decisions)
    kinds = {*CONSENT_KINDS, *ENDING_KINDS} if may_end else {*CONSENT_KINDS}
    rows = _read_rows(log, shopper_id, after, sorted(kinds))
    return [*rows, *(_read_erasures(log, after) if is_pseudonym(shopper_id) else ())]


def _read_erasures(log: EventLog, after: int) -> Iterator[StoredRow]:
    """Read all erasures: they are filed under the erased shopper's key, and name the decisions that they end."""
    return read_rows(log, after, kinds=(ErasureRow.kind,))


def _read_rows(log: EventLog, shopper_id: str, after: int, kinds: Sequence[str]) -> list[StoredRow]:
    rows: list[StoredRow] = []
    before: int | None = None
    while True:
        page = log.find_by_shopper(shopper_id, _BATCH, before, kinds)
        later = [stored for stored in page if stored.position > after]
        rows += (stored for stored in later if concerns_all_sends(stored.row))
        if len(later) < _BATCH:
            return rows[::-1]
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
    shopper_rows
        The later rows that concern all sends of its shopper: withdrawals of consent, and events by which triggers end.
    """

    position: int
    decision: DecisionRow
    rows: Sequence[StoredRow]
    shopper_rows: Sequence[StoredRow] = ()

    def status(self, now: float) -> StatusChange:
        """Return what has become of the decision by a time."""
        return status_of(self.decision, self._later, now)

    @property
    def stop(self) -> str | None:
        """Why the activation gate does not let the send leave any more, None while no row says so."""
        # An erasure names the sends whose windows were open, but no message may be sent to anybody who was erased.
        return stop_of(self.decision, self._later) or ("erased" if is_pseudonym(self.decision.shopper_id) else None)

    @property
    def _later(self) -> list[tuple[int, Row]]:
        """The rows after the decision with their positions, in this order."""
        rows = (*self.rows, *self.shopper_rows)
        return sorted({stored.position: stored.row for stored in rows if stored.position > self.position}.items())

    @property
    def activation(self) -> ActivationRow | None:
        """What the activation gate answered, None where it was not asked."""
        return next((stored.row for stored in self.rows if isinstance(stored.row, ActivationRow)), None)

    @property
    def cancellation(self) -> CancellationRow | None:
        """The caller's cancellation, None where there is none."""
        return next((stored.row for stored in self.rows if isinstance(stored.row, CancellationRow)), None)

    @property
    def left_at(self) -> float | None:
        """When the send left by the gate's word, None where the gate did not say so."""
        asked, send_at = self.activation, self.decision.send_at
        return departure_time(send_at, asked) if asked is not None and asked.deliver and send_at is not None else None

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

    def _activation_answer(self) -> ActivationAnswer | None:
        asked = self.activation
        if asked is None:
            return None
        return ActivationAnswer(iso(asked.at), asked.deliver, asked.reason, optional_iso(self.left_at))

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
        known, cancelled = self.status(now), self.cancellation
        is_voided = known.status.name in ("voided", "superseded")
        return {
            "status": known.status.name,
            "deferred": self.decision.deferred,
            "activation": self._activation_answer(),
            "left_at": optional_iso(self.left_at),
            "cancelled_at": None if cancelled is None else iso(cancelled.at),
            "voided": VoidedAnswer(iso(known.at), known.reason, known.position) if is_voided else None,
        }
