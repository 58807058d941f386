"""Early outcomes: what was reported about a decision before the decision was logged takes effect with the decision.

An early outcome was logged without a shopper and a channel, so no fold could know whom a withdrawal is about, or which
send bounced. It is logged once more right behind the decision, in the same transaction: no crash and no erasure comes
in between.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from decision_service.commands.feedback import with_aliases
from decision_service.log.base import NewRow
from decision_service.log.condition import UNCONDITIONAL, AppendCondition
from policies.catalogue.former_names import FormerNames
from policies.records.outcomes import TAKING_BACK
from policies.records.rows import DecisionRow, OutcomeRow, Row
from policies.sends import DecidedSend, change_of, is_withdrawal


def early_outcomes(decision: DecisionRow, names: FormerNames, earlier: Iterable[Row]) -> list[NewRow]:
    """Return the outcomes to log once more behind their decision: one of each type that changes consent or the send.

    Parameters
    ----------
    decision
        The decision that is logged now.
    names
        The former names in the catalogue: a withdrawal is about every name of the decision's channel.
    earlier
        The rows of the same event id that are in the log already.
    """
    if not decision.is_delivered:
        return []
    send = DecidedSend.of(decision)
    rows = (_with_shopper(row, decision) for row in earlier if isinstance(row, OutcomeRow))
    outcomes = (with_aliases(row, names) for row in rows)
    effective = {row.type: row for row in outcomes if is_withdrawal(row) or change_of(send, row) is not None}
    return [NewRow(row, condition=_condition(row, decision)) for row in effective.values()]


def _with_shopper(row: OutcomeRow, decision: DecisionRow) -> OutcomeRow:
    return msgspec.structs.replace(row, at=decision.at, shopper_id=decision.shopper_id, channel=decision.channel)


def _condition(row: OutcomeRow, decision: DecisionRow) -> AppendCondition:
    """Refuse a row that would take a send back after its window has closed: see `decision_service.log.row_times`."""
    if row.type not in TAKING_BACK or decision.window_ends_at is None:
        return UNCONDITIONAL
    return AppendCondition(watermark_below=decision.window_ends_at)
