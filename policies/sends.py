"""The fate of a send: whether it left, and what kept it back if it did not.

A pure reading of the log's rows, for whoever tells of decisions afterwards: inspector, timeline and report.

=============  ==================================================================================
``held``       nothing was sent; the reason is the decision's ``hold_reason``
``waiting``    deferred: it leaves only once the caller activates it
``scheduled``  its send time lies ahead
``sent``       it left, or its attribution window is over and nothing had kept it back by then: it counts
``expired``    nobody activated it within the grace after its send time, or the caller asked the gate later
``refused``    the activation gate said no; the reason is the rule's
``cancelled``  the caller took it back
``bounced``    the channel could not deliver it
``voided``     consent was withdrawn before its send time, by the reason: ``opt_out`` or ``complaint`` about
               another send, ``preferences``, or ``erasure``
=============  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from policies.records.reasons import Reason
from policies.records.rows import (
    ACTIVATION_GRACE_S,
    WITHDRAWALS,
    ActivationRow,
    CancellationRow,
    DecisionRow,
    ErasureRow,
    OutcomeRow,
    PreferencesRow,
    Row,
)

KeptBack = Literal["expired", "refused", "cancelled", "bounced", "voided"]
Status = Literal["held", "waiting", "scheduled", "sent"] | KeptBack


class Windowed(Protocol):
    """What is needed of a send to tell what comes too late for it."""

    @property
    def window_ends_at(self) -> float | None:
        """When its attribution window ends, if it has one."""
        ...

    @property
    def deferred(self) -> bool:
        """Whether it counts as sent only once it was activated."""
        ...


def is_late(window_ends_at: float, occurred_at: float, watermark: float) -> bool:
    """Tell whether an outcome logged at this watermark misses the window."""
    return occurred_at >= window_ends_at or watermark >= window_ends_at


def bounces(send: Windowed, row: OutcomeRow) -> bool:
    """Tell whether an outcome says that a send reached nobody; a late bounce is reported only."""
    ends_at = send.window_ends_at
    return row.type == "bounce" and (ends_at is None or not is_late(ends_at, row.occurred_at, row.at))


def refuses(send: Windowed, row: ActivationRow) -> bool:
    """Tell whether the gate keeps a send back: one that did not wait for it counts as sent once its window is over."""
    is_over = send.window_ends_at is not None and row.at >= send.window_ends_at
    return not row.deliver and (send.deferred or not is_over)


class Sent(Windowed, Protocol):
    """What is needed of a send to tell what keeps it back."""

    @property
    def event_id(self) -> str:
        """The decision's id."""
        ...

    @property
    def shopper_id(self) -> str:
        """Whom it is for."""
        ...

    @property
    def channel(self) -> str | None:
        """How it is sent."""
        ...

    @property
    def send_at(self) -> float | None:
        """When it leaves."""
        ...


@dataclass(frozen=True)
class SendStatus:
    """What has become of a decision, since when, why, and which row of the log says so."""

    status: Status
    at: float
    reason: str | None = None
    position: int | None = None

    @property
    def has_left(self) -> bool:
        """Whether it left, or is to leave by itself."""
        return self.status in ("sent", "scheduled")


def kept_back(send: Sent, row: Row) -> tuple[KeptBack, str | None] | None:
    """Tell whether a later row keeps a send back, and why; None when it does not.

    >>> decision = DecisionRow(
    ...     0.0, "e", "s", "", (), {}, 1, 1, None, "treatment", "", channel="push", send_at=60.0
    ... )
    >>> kept_back(decision, PreferencesRow(30.0, "s", {"push": False}))
    ('voided', 'preferences')
    >>> kept_back(decision, PreferencesRow(90.0, "s", {"push": False}))
    """
    match row:
        case CancellationRow() if row.event_id == send.event_id:
            return "cancelled", None
        case ActivationRow() if row.event_id == send.event_id and refuses(send, row):
            late = send.send_at is not None and row.at > send.send_at + ACTIVATION_GRACE_S
            return "expired" if late and row.reason == Reason.expired.name else "refused", row.reason
        case OutcomeRow() if row.event_id == send.event_id and bounces(send, row):
            return "bounced", None
    by = _withdrawn_by(send, row)
    return None if by is None or send.send_at is None or send.send_at <= row.at else ("voided", by)


def _withdrawn_by(send: Sent, row: Row) -> str | None:
    """Name what withdraws consent for a send, None when the row does not."""
    match row:
        case OutcomeRow() if row.type in WITHDRAWALS and row.event_id != send.event_id:
            return row.type if (row.shopper_id, row.channel) == (send.shopper_id, send.channel) else None
        case PreferencesRow() if row.shopper_id == send.shopper_id and send.channel is not None:
            return "preferences" if row.consent.get(send.channel) is False else None
        case ErasureRow() if send.event_id in row.open_event_ids:
            return "erasure"
    return None


def is_withdrawal(row: Row) -> bool:
    """Tell whether a row may keep back sends of other decisions than its own."""
    match row:
        case OutcomeRow():
            return row.type in WITHDRAWALS and row.channel is not None
        case PreferencesRow():
            return not all(row.consent.values())
    return isinstance(row, ErasureRow)


def status_of(decision: DecisionRow, later: Iterable[tuple[int, Row]], now: float) -> SendStatus:
    """Tell what has become of a decision by ``now``.

    Parameters
    ----------
    decision
        What was decided.
    later
        Rows after the decision with their positions, in this order: its own and those of its shopper that
        withdraw consent. What kept it back first has the say.
    now
        Epoch seconds.
    """
    if decision.send_at is None:
        return SendStatus("held", decision.at, decision.hold_reason)
    send_at, deferred = decision.send_at, decision.deferred
    for position, row in later:
        if (kept := kept_back(decision, row)) is not None:
            return SendStatus(kept[0], row.at, kept[1], position)
        if isinstance(row, ActivationRow) and row.deliver and row.event_id == decision.event_id:
            send_at, deferred = max(send_at, row.at), False
            decision = msgspec.structs.replace(decision, send_at=send_at, deferred=deferred)
    if deferred:
        expires_at = send_at + ACTIVATION_GRACE_S
        return SendStatus("expired", expires_at) if now > expires_at else SendStatus("waiting", decision.at)
    return SendStatus("sent" if send_at <= now else "scheduled", send_at)
