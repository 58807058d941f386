"""The statuses of outcomes: which are accepted, which repeat an earlier one, come late, or are refused."""

from __future__ import annotations

from collections.abc import Mapping

from decision_service.commands.item_status import ACCEPTED, DUPLICATE, LATE, UNKNOWN, Status, invalid
from decision_service.log.base import Appended, AppendResult, DamagedRow, DuplicateKey
from decision_service.log.keys import outcome_key
from policies.records.outcomes import VALUED, WITHDRAWALS
from policies.records.rows import DecisionRow, OutcomeRow
from policies.sends.concerns import is_late


def status_without_logging(
    row: OutcomeRow, earlier: Mapping[str, OutcomeRow], decision: DecisionRow | None
) -> Status | None:
    """Return the status of an outcome that is not logged: a repeat, or the withdrawal of what was sent nowhere."""
    if (stored := earlier.get(outcome_key(row))) is not None:
        return _status_of_repeat(row, stored)
    if row.type in WITHDRAWALS and decision is not None and not decision.is_delivered:
        return invalid("event_id", "this decision was a hold, sent on no channel: put preferences instead")
    return None


def status_of_result(row: OutcomeRow, result: AppendResult, decision: DecisionRow | None) -> Status:
    """Return the status of an outcome that the log was asked to append."""
    if isinstance(result, DamagedRow):
        return DUPLICATE
    if isinstance(result, DuplicateKey):
        stored = result.row.row
        return _status_of_repeat(row, stored) if isinstance(stored, OutcomeRow) else DUPLICATE
    if decision is None or not isinstance(result, Appended):
        return UNKNOWN
    if decision.window_ends_at is None:
        return ACCEPTED
    return LATE if is_late(decision.window_ends_at, row.occurred_at, result.watermark) else ACCEPTED


def _status_of_repeat(row: OutcomeRow, stored: OutcomeRow) -> Status:
    """Return the status of an outcome whose key is in the log: of a sum of money, the id names one sum."""
    if row.type not in VALUED:
        return DUPLICATE
    if row.value != stored.value:
        return invalid("value", f"the feedback_id was used for a {row.type} of {stored.value:g}")
    if row.has_date and stored.has_date and row.occurred_at != stored.occurred_at:
        return invalid("at", f"the feedback_id was used for a {row.type} at another time")
    return DUPLICATE
