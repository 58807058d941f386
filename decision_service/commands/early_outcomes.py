"""Joining: what was said of a decision before it was known takes effect with it.

Such an outcome was logged without its shopper and channel, so no fold could tell whom a withdrawal or a bounce is
about. It is told again right behind the decision, in the same transaction: no crash and no erasure comes in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import msgspec

from decision_service.log.base import NewRow
from decision_service.log.condition import UNCONDITIONAL, AppendCondition
from policies.records.rows import WITHDRAWALS, DecisionRow, OutcomeRow, Row
from policies.sends import bounces


def early_outcomes(decision: DecisionRow, earlier: Iterable[Row]) -> list[NewRow]:
    """Tell again the outcomes logged before a decision that bear on what may be sent; one of each type is enough.

    >>> bounce = OutcomeRow(30.0, "e", "bounce", 30.0)
    >>> sent = DecisionRow(60.0, "e", "s", "", (), {}, 1, 1, None, "treatment", "", channel="push", send_at=60.0)
    >>> [(new.row.at, new.row.shopper_id, new.row.channel) for new in early_outcomes(sent, [bounce])]
    [(60.0, 's', 'push')]
    """
    if not decision.is_delivered:
        return []
    known = (_known(row, decision) for row in earlier if isinstance(row, OutcomeRow))
    bearing = {row.type: row for row in known if row.type in WITHDRAWALS or bounces(decision, row)}
    return [NewRow(row, condition=_condition(row, decision)) for row in bearing.values()]


def _known(row: OutcomeRow, decision: DecisionRow) -> OutcomeRow:
    return msgspec.structs.replace(row, at=decision.at, shopper_id=decision.shopper_id, channel=decision.channel)


def _condition(row: OutcomeRow, decision: DecisionRow) -> AppendCondition:
    """Let no bounce take back what counts as sent already, because the log's time is past the window: see `closing`."""
    ends_at = inf if decision.window_ends_at is None else decision.window_ends_at
    return AppendCondition(watermark_below=ends_at) if row.type == "bounce" else UNCONDITIONAL
