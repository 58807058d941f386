"""The rows of outcomes: what a caller reports about a decision, as it is logged."""

from __future__ import annotations

import msgspec

from decision_service.log.base import NewRow
from decision_service.log.condition import AppendCondition, Query
from decision_service.log.keys import outcome_key
from decision_service.log.row_times import late_row_time
from decision_service.schemas.requests import OutcomeBody
from policies.catalogue.former_names import FormerNames
from policies.records.outcomes import TAKING_BACK, VALUED, WITHDRAWALS
from policies.records.rows import DecisionRow, OutcomeRow
from policies.records.withholding import withheld_paths


def read_outcome(body: OutcomeBody, now: float, *, checks_future: bool) -> OutcomeRow:
    """Return the row of an outcome whose decision is not looked up yet.

    ``checks_future`` says whether a withdrawal that is dated ahead of the clock counts from now.
    """
    occurred_at = now if body.at is None else body.at.timestamp()
    if checks_future and body.type in WITHDRAWALS:
        occurred_at = min(occurred_at, now)
    return OutcomeRow(
        at=now,
        event_id=body.event_id,
        type=body.type,
        occurred_at=occurred_at,
        value=body.value or 0.0,
        feedback_id=body.feedback_id,
        machine=body.machine,
        permanent=body.permanent,
        dated=body.at is not None if body.type in VALUED else None,
    )


def complete_outcome(decision: DecisionRow | None, row: OutcomeRow) -> OutcomeRow:
    """Return an outcome with the shopper and the channel of its decision."""
    if decision is None:
        return row
    channel = decision.channel if decision.is_delivered else None
    return msgspec.structs.replace(row, shopper_id=decision.shopper_id, channel=channel)


def with_aliases(row: OutcomeRow, names: FormerNames) -> OutcomeRow:
    """Return an outcome with the other names that its channel has or had, if it withdraws consent or reach."""
    if row.channel is None or not withheld_paths(row):
        return row
    aliases = tuple(name for name in names.names_of_channel(row.channel) if name != row.channel)
    return msgspec.structs.replace(row, aliases=aliases) if aliases else row


def row_to_log(row: OutcomeRow, decision: DecisionRow | None, watermark: float) -> NewRow:
    """Return the row to be logged: it shows by itself whether its decision was known and whether a bounce was late."""
    key = outcome_key(row)
    if decision is None:
        decided = Query((DecisionRow.kind,), event_id=row.event_id)
        return NewRow(row, key, AppendCondition(fail_if=(decided,)))
    if row.type not in TAKING_BACK:
        return NewRow(row, key, AppendCondition(event_owner=row.shopper_id))
    time = late_row_time(row.at, decision.window_ends_at, watermark)
    condition = AppendCondition(
        event_owner=row.shopper_id, watermark_below=time.watermark_below, watermark_from=time.watermark_from
    )
    return NewRow(msgspec.structs.replace(row, at=time.at), key, condition)
