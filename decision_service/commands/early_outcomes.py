"""Early outcomes: what was reported about a decision before the decision was logged takes effect with the decision.

An early outcome was logged without a shopper and a channel, so no fold could know whom a withdrawal is about, which
send bounced, or whose reminders an order ends. A copy of it is logged right behind the decision, in the same
transaction: no crash and no erasure comes in between. A copy is not counted or paid again.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import msgspec

from decision_service.commands.outcome_rows import with_aliases
from decision_service.log.base import NewRow
from decision_service.log.row_times import late_row_time
from policies.catalogue.rulebook import Rulebook
from policies.records.endings import event_type, may_end_triggers
from policies.records.outcomes import TAKING_BACK
from policies.records.rows import DecisionRow, OutcomeRow, Row
from policies.sends.concerns import is_withdrawal
from policies.sends.facts import DecidedSend
from policies.sends.transitions import change_of


def early_outcomes(
    decision: DecisionRow, rulebook: Rulebook, earlier: Iterable[Row], watermark: float = -inf
) -> list[NewRow]:
    """Return the outcomes to log once more behind their decision.

    One of each type that changes consent or the send, a permanent bounce, and an outcome by which triggers may end. Of
    several outcomes of one type, the one with the latest date is logged; of bounces, one that came in time.

    Parameters
    ----------
    decision
        The decision that is logged now.
    rulebook
        The catalogue in force: a withdrawal is about every name of the decision's channel, and triggers end by the
        types of events that the catalogue names.
    earlier
        The rows of the same event id that are in the log already.
    watermark
        The log's watermark, the decision included.
    """
    send = DecidedSend.of(decision)
    rows = (_behind(decision, row, watermark) for row in earlier if isinstance(row, OutcomeRow))
    outcomes = [with_aliases(row, rulebook.former_names) for row in rows]
    effective = [row for row in outcomes if _has_effect(decision, row, rulebook)]
    strongest: dict[tuple[str, bool], OutcomeRow] = {}
    for row in _in_order(effective, send):
        kind = (row.type, row.permanent)
        strongest[kind] = max(strongest.get(kind, row), row, key=lambda row: _strength(row, send))
    return [NewRow(row) for row in strongest.values()]


def _behind(decision: DecisionRow, row: OutcomeRow, watermark: float) -> OutcomeRow:
    """Return an outcome as it is logged behind its decision: see `decision_service.log.row_times`."""
    at, channel = decision.at, decision.channel if decision.is_delivered else None
    if row.type in TAKING_BACK:
        at = late_row_time(at, decision.window_ends_at, watermark).at
    return msgspec.structs.replace(row, at=at, shopper_id=decision.shopper_id, channel=channel, is_copy=True)


def _in_order(outcomes: list[OutcomeRow], send: DecidedSend) -> list[OutcomeRow]:
    """Return outcomes in the order in which they act, as they were reported.

    The first row that changes a send takes the send back. Bounces concern the decision's own send alone, so they come
    before the others if the first change of this send is a bounce, and behind the others if not. Orders and withdrawals
    concern the shopper's other sends as well, and keep their order.
    """
    first = next((row for row in outcomes if change_of(send, row) is not None), None)
    bounces_act = first is not None and first.type in TAKING_BACK
    return sorted(outcomes, key=lambda row: (row.type in TAKING_BACK) != bounces_act)


def _strength(row: OutcomeRow, send: DecidedSend) -> tuple[bool, float]:
    """Return the rank of an outcome among those of its type: the highest has the effects of the others."""
    return change_of(send, row) is not None, row.occurred_at


def _has_effect(decision: DecisionRow, row: OutcomeRow, rulebook: Rulebook) -> bool:
    """Return whether an outcome changes more than figures; the outcome of a hold can only end triggers."""
    if may_end_triggers(row) and any(event_type(row) in one.ends_on for one in rulebook.catalogue.triggers.values()):
        return True
    is_effective = is_withdrawal(row) or row.permanent or change_of(DecidedSend.of(decision), row) is not None
    return decision.is_delivered and is_effective
