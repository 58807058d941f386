"""The whole life of a send: what all later rows together have made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from policies.records.rows import ACTIVATION_GRACE_S, DecisionRow, Row
from policies.sends.departure import departure_of, departure_time
from policies.sends.facts import DecidedSend
from policies.sends.stages import status_at
from policies.sends.status import EXPIRED, HELD, WAITING, StatusChange
from policies.sends.transitions import change_of, line_for


def status_of(decision: DecisionRow, later: Iterable[tuple[int, Row]], now: float) -> StatusChange:
    """Return what has become of a decision by a time.

    Parameters
    ----------
    decision
        What was decided.
    later
        Rows after the decision with their positions, in this order: the decision's own, and those of its shopper that
        concern all sends.
    now
        Epoch seconds.
    """
    if decision.send_at is None:
        return StatusChange(HELD, decision.at, decision.hold_reason)
    send, send_at = DecidedSend.of(decision), decision.send_at
    for position, row in later:
        change = change_of(send, row)
        if change is None:
            continue
        if not change.status.holds_place:
            return replace(change, position=position)
        send_at = departure_time(send_at, row)
        send = msgspec.structs.replace(send, send_at=send_at, deferred=False, left_at=departure_of(row))
    status = status_at(send, now)
    if status is EXPIRED:
        return StatusChange(status, send_at + ACTIVATION_GRACE_S)
    return StatusChange(status, decision.at if status is WAITING else send_at)


def stop_of(decision: DecisionRow, later: Iterable[tuple[int, Row]]) -> str | None:
    """Return why the activation gate does not let a send leave any more, None while no row says so.

    ``later`` is the same as for `status_of`. What the gate itself has answered is not asked here.
    """
    send = DecidedSend.of(decision)
    lines = (line_for(send, row) for _, row in later)
    return next((line.gate_reason for line in lines if line is not None and line.gate_reason is not None), None)
