"""The stages in which a row can find a send: the columns of the table in `policies.sends.transitions`.

=============  ======================================================================================
``waiting``    deferred: the send leaves only once the caller activates it; its send time lies ahead
``due``        deferred, and its send time has come
``scheduled``  the send leaves by itself at its send time, which lies ahead
``left``       the send has left: its send time has come, or the gate let it leave before
``closed``     the send has left, and its attribution window is over: it counts as sent for good
=============  ======================================================================================

The stage is read from the row's own time. The service dates and orders its rows so that this is right: see
`decision_service.log.row_times`.
"""

from __future__ import annotations

from enum import Enum

from policies.records.rows import ACTIVATION_GRACE_S
from policies.sends.facts import SendFacts
from policies.sends.status import EXPIRED, HELD, SCHEDULED, SENT, WAITING, SendStatus


class Stage(Enum):
    """How a row finds a send that was not taken back yet."""

    waiting = "waiting"
    due = "due"
    scheduled = "scheduled"
    left = "left"
    closed = "closed"


def stage_at(send: SendFacts, at: float) -> Stage:
    """Return the stage at a time of a send that no row has taken back."""
    is_ahead = send.left_at is None and send.send_at is not None and at < send.send_at
    if send.deferred:
        return Stage.waiting if is_ahead else Stage.due
    if send.window_ends_at is not None and at >= send.window_ends_at:
        return Stage.closed
    return Stage.scheduled if is_ahead else Stage.left


def status_at(send: SendFacts, now: float) -> SendStatus:
    """Return the status at a time of a send that no row has taken back."""
    if send.send_at is None:
        return HELD
    if send.deferred:
        return EXPIRED if now > send.send_at + ACTIVATION_GRACE_S else WAITING
    return SENT if send.send_at <= now else SCHEDULED
