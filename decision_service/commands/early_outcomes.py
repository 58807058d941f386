"""Early outcomes: what was reported about a decision before the decision was logged takes effect with the decision.

An early outcome was logged without a shopper and a channel, so no fold could know whom a withdrawal is about, or which
send bounced. It is logged once more right behind the decision, in the same transaction: no crash and no erasure comes
in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import msgspec

from decision_service.commands.feedback import with_aliases
from decision_service.log.base import NewRow
from decision_service.log.row_times import late_row_time
from policies.catalogue.former_names import FormerNames
from policies.records.outcomes import TAKING_BACK
from policies.records.rows import DecisionRow, OutcomeRow, Row
from policies.sends import DecidedSend, change_of, is_withdrawal


def early_outcomes(
    decision: DecisionRow, names: FormerNames, earlier: Iterable[Row], watermark: float = -inf
) -> list[NewRow]:
    """Return the outcomes to log once more behind their decision.

    One of each type that changes consent or the send, and a permanent bounce. Of several outcomes of one type, the one
    with the latest date is logged; of bounces, one that came in time.

    Parameters
    ----------
    decision
        The decision that is logged now.
    names
        The former names in the catalogue: a withdrawal is about every name of the decision's channel.
    earlier
        The rows of the same event id that are in the log already.
    watermark
        The log's watermark, the decision included.
    """
    if not decision.is_delivered:
        return []
    send = DecidedSend.of(decision)
    rows = (_behind(decision, row, watermark) for row in earlier if isinstance(row, OutcomeRow))
    outcomes = sorted((with_aliases(row, names) for row in rows), key=lambda row: _strength(row, send))
    effective = {(row.type, row.permanent): row for row in outcomes if _has_effect(row, send)}
    return [NewRow(row) for row in effective.values()]


def _behind(decision: DecisionRow, row: OutcomeRow, watermark: float) -> OutcomeRow:
    """Return an outcome as it is logged behind its decision: see `decision_service.log.row_times`."""
    at = decision.at
    if row.type in TAKING_BACK:
        at = late_row_time(at, decision.window_ends_at, watermark).at
    return msgspec.structs.replace(row, at=at, shopper_id=decision.shopper_id, channel=decision.channel)


def _strength(row: OutcomeRow, send: DecidedSend) -> tuple[bool, float]:
    """Return the rank of an outcome among those of its type: the highest has the effects of the others."""
    return change_of(send, row) is not None, row.occurred_at


def _has_effect(row: OutcomeRow, send: DecidedSend) -> bool:
    return is_withdrawal(row) or row.permanent or change_of(send, row) is not None
