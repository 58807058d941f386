"""The life of a send: one table says what each row of the log makes of a send.

Everything that asks "does this row take the send back?" asks `TRANSITIONS` through `change_of`: the shopper's state
(the places under the caps), the attribution (what is learned), the inspector, the timeline, the report, and the
activation gate (`stop_of`). A new way to take a send back is one more line of the table.

The columns of the table are the stages in which a row can find a send:

=============  ======================================================================================
``waiting``    deferred: the send leaves only once the caller activates it; its send time lies ahead
``due``        deferred, and its send time has come
``scheduled``  the send leaves by itself at its send time, which lies ahead
``left``       the send has left: its send time has come, or the gate let it leave before
``closed``     the send has left, and its attribution window is over: it counts as sent for good
=============  ======================================================================================

The stage is read from the row's own time. The service dates and orders its rows so that this is right: see
`decision_service.log.row_times`.

A row that finds a send too late to take it back still stops the gate: the message of a send that has left may be on
its way, but the caller who asks once more must not send it again. So each line also has the gate's reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal, Protocol

import msgspec

from policies.records.endings import ends, event_type, may_end_triggers
from policies.records.outcomes import OUTCOME_TYPES
from policies.records.reasons import Reason
from policies.records.rows import (
    ACTIVATION_GRACE_S,
    ActivationRow,
    CancellationRow,
    DecisionRow,
    ErasureRow,
    EventRow,
    OutcomeRow,
    PreferencesRow,
    Row,
)
from policies.records.withholding import EVERY_CHANNEL, SUBSCRIBED, withheld_paths

Status = Literal[
    "held", "waiting", "scheduled", "sent", "expired", "refused", "cancelled", "bounced", "voided", "superseded"
]


@dataclass(frozen=True)
class SendStatus:
    """What has become of a decision, and what this means everywhere.

    Parameters
    ----------
    name
        What inspector, timeline and report show.
    holds_place
        The send counts under caps, gaps and budgets.
    counts_as_sent
        The report counts the send as delivered, and the inspector shows its reward.
    is_learned
        The send is learned from when its attribution window closes.
    """

    name: Status
    holds_place: bool = False
    counts_as_sent: bool = False
    is_learned: bool = False


HELD = SendStatus("held")
"""Nothing was sent; the reason is the decision's ``hold_reason``."""

WAITING = SendStatus("waiting", holds_place=True)
"""The send is deferred, and nobody has activated it yet."""

SCHEDULED = SendStatus("scheduled", holds_place=True, counts_as_sent=True, is_learned=True)
"""The send leaves by itself at its send time, which lies ahead."""

SENT = SendStatus("sent", holds_place=True, counts_as_sent=True, is_learned=True)
"""The send has left."""

EXPIRED = SendStatus("expired")
"""Nobody activated the send within the grace after its send time, or the caller asked the gate after the grace."""

REFUSED = SendStatus("refused")
"""The activation gate said no; the reason is the code of the rule."""

CANCELLED = SendStatus("cancelled")
"""The caller said that the send will not leave."""

BOUNCED = SendStatus("bounced")
"""An outcome said in time that the send reached nobody."""

WITHDRAWN = SendStatus("voided")
"""The shopper withdrew consent before the send time.

The reason is the type of the outcome (about another send) or ``preferences``.
"""

ERASED = SendStatus("voided")
"""The shopper was erased before the send time; the reason is ``erasure``."""

SUPERSEDED = SendStatus("superseded")
"""What the send was to answer ended before the send time; the reason is the type of the event, such as ``purchase``."""


class SendFacts(Protocol):
    """What the table needs to know of a send; decision rows, places and open windows all have it."""

    @property
    def event_id(self) -> str:
        """The decision's id."""
        ...

    @property
    def channel(self) -> str | None:
        """The channel of the send."""
        ...

    @property
    def send_at(self) -> float | None:
        """When the send leaves."""
        ...

    @property
    def window_ends_at(self) -> float | None:
        """When the attribution window ends, if the send has one."""
        ...

    @property
    def deferred(self) -> bool:
        """Whether the send waits for its activation."""
        ...

    @property
    def left_at(self) -> float | None:
        """When the gate let the send leave; None where it did not, or where a row of an earlier version says so."""
        ...

    @property
    def occurred_at(self) -> float | None:
        """When the trigger occurred that the send answers; None where nothing ends it."""
        ...

    @property
    def ends_on(self) -> tuple[str, ...]:
        """The types of shopper events that end this trigger."""
        ...


class DecidedSend(msgspec.Struct, frozen=True):
    """The send of a decision, as far as the table needs to know it."""

    event_id: str
    channel: str | None
    send_at: float | None
    window_ends_at: float | None
    deferred: bool
    left_at: float | None = None
    occurred_at: float | None = None
    ends_on: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: DecisionRow) -> DecidedSend:
        return cls(
            event_id=row.event_id,
            channel=row.channel,
            send_at=row.send_at,
            window_ends_at=row.window_ends_at,
            deferred=row.deferred,
            occurred_at=row.occurred_at,
            ends_on=row.ends_on,
        )


# -- what rows say ----------------------------------------------------------------------------------


def is_late(window_ends_at: float, occurred_at: float, watermark: float) -> bool:
    """Return whether an outcome that is logged at this watermark misses the attribution window."""
    return occurred_at >= window_ends_at or watermark >= window_ends_at


def withdraws(row: Row, channel: str | None) -> bool:
    """Return whether the shopper withdraws consent for a channel by a row.

    An erasure, and the end of the subscription, withdraw consent for all channels.

    >>> withdraws(PreferencesRow(at=0.0, shopper_id="s", consent={"push": False}), "push")
    True
    """
    if isinstance(row, ErasureRow):
        return True
    return channel is not None and any(path in (f"consent.{channel}", SUBSCRIBED) for path in withheld_paths(row))


def is_withdrawal(row: Row) -> bool:
    """Return whether a row withdraws consent."""
    return any(path == SUBSCRIBED or path.startswith(EVERY_CHANNEL) for path in withheld_paths(row))


def concerns_all_sends(row: Row) -> bool:
    """Return whether a row may take back every send of its shopper, and not only the one it names."""
    return is_withdrawal(row) or may_end_triggers(row)


def named_sends(row: Row) -> tuple[str, ...]:
    """Return the event ids of the sends that a row names."""
    match row:
        case ActivationRow() | CancellationRow() | OutcomeRow():
            return (row.event_id,)
        case ErasureRow():
            return row.open_event_ids
    return ()


def _bounces(send: SendFacts, row: OutcomeRow) -> bool:
    """Return whether an outcome says that the send reached nobody."""
    return row.event_id == send.event_id and OUTCOME_TYPES[row.type].takes_send_back


def _bounces_in_time(send: SendFacts, row: OutcomeRow) -> bool:
    """Return whether an outcome says that the send reached nobody, and says so before the window is over."""
    is_over = send.window_ends_at is not None and is_late(send.window_ends_at, row.occurred_at, row.at)
    return _bounces(send, row) and not is_over


def _delivers(send: SendFacts, row: ActivationRow) -> bool:
    return row.event_id == send.event_id and row.deliver


def _refuses(send: SendFacts, row: ActivationRow) -> bool:
    return row.event_id == send.event_id and not row.deliver


def _finds_expired(send: SendFacts, row: ActivationRow) -> bool:
    is_over = send.send_at is not None and row.at > send.send_at + ACTIVATION_GRACE_S
    return _refuses(send, row) and is_over and row.reason == Reason.expired.name


def _cancels(send: SendFacts, row: CancellationRow) -> bool:
    return row.event_id == send.event_id


def _withdraws(send: SendFacts, row: OutcomeRow | PreferencesRow) -> bool:
    return withdraws(row, send.channel)


def _answers_no(send: SendFacts, row: OutcomeRow) -> bool:
    """Return whether the shopper withdraws consent in answer to this very send, which has left therefore."""
    return row.event_id == send.event_id and withdraws(row, send.channel)


def _erases(send: SendFacts, row: ErasureRow) -> bool:
    return send.event_id in row.open_event_ids


def _ends(send: SendFacts, row: EventRow | OutcomeRow) -> bool:
    return may_end_triggers(row) and ends(row, send.ends_on, send.occurred_at)


# -- the table --------------------------------------------------------------------------------------


class Stage(Enum):
    """How a row finds a send that was not taken back yet: the columns of the table."""

    waiting = "waiting"
    due = "due"
    scheduled = "scheduled"
    left = "left"
    closed = "closed"


@dataclass(frozen=True)
class Line:
    """A line of the table: which rows of the log change a send, and its next status by stage; None changes nothing.

    ``gate_reason`` is what the activation gate says of the send from then on, in every stage. It is None for the rows
    of the gate itself.
    """

    row_type: type[Row]
    applies: Callable[[Any, Any], bool]
    waiting: SendStatus | None
    due: SendStatus | None
    scheduled: SendStatus | None
    left: SendStatus | None
    closed: SendStatus | None
    gate_reason: str | None

    def status(self, stage: Stage) -> SendStatus | None:
        """Return the next status of a send in a stage."""
        status: SendStatus | None = getattr(self, stage.value)
        return status


_NO_CONSENT = Reason.no_consent.name

# fmt: off
TRANSITIONS: tuple[Line, ...] = (
    #    a row that                         waiting     due        scheduled   left       closed     the gate
    Line(ActivationRow,   _delivers,        SCHEDULED,  SCHEDULED, SCHEDULED,  SCHEDULED, SCHEDULED, None),
    Line(ActivationRow,   _finds_expired,   EXPIRED,    EXPIRED,   EXPIRED,    EXPIRED,   None,      None),
    Line(ActivationRow,   _refuses,         REFUSED,    REFUSED,   REFUSED,    REFUSED,   None,      None),
    Line(CancellationRow, _cancels,         CANCELLED,  CANCELLED, CANCELLED,  CANCELLED, None,      "cancelled"),
    Line(OutcomeRow,      _bounces_in_time, BOUNCED,    BOUNCED,   BOUNCED,    BOUNCED,   None,      "bounced"),
    Line(OutcomeRow,      _bounces,         None,       None,      None,       None,      None,      "bounced"),
    Line(OutcomeRow,      _answers_no,      None,       None,      None,       None,      None,      _NO_CONSENT),
    Line(OutcomeRow,      _withdraws,       WITHDRAWN,  None,      WITHDRAWN,  None,      None,      _NO_CONSENT),
    Line(PreferencesRow,  _withdraws,       WITHDRAWN,  None,      WITHDRAWN,  None,      None,      _NO_CONSENT),
    Line(ErasureRow,      _erases,          ERASED,     None,      ERASED,     None,      None,      "erased"),
    Line(EventRow,        _ends,            SUPERSEDED, None,      SUPERSEDED, None,      None,      "superseded"),
    Line(OutcomeRow,      _ends,            SUPERSEDED, None,      SUPERSEDED, None,      None,      "superseded"),
)
# fmt: on
"""Of the lines for a row, the first that applies has the say. A send that was taken back stays taken back."""

_LINES_OF = {
    row_type: tuple(line for line in TRANSITIONS if line.row_type is row_type)
    for row_type in {line.row_type for line in TRANSITIONS}
}


@dataclass(frozen=True)
class StatusChange:
    """A status, since when, why, and which row of the log says so."""

    status: SendStatus
    at: float
    reason: str | None = None
    position: int | None = None


def change_of(send: SendFacts, row: Row) -> StatusChange | None:
    """Return what a later row makes of a send, None where nothing changes.

    The row must be about the send's shopper, or name the send. It must not come after another row that has taken the
    send back.

    >>> from policies.shopper.state import Send
    >>> send = Send(event_id="e", send_at=60.0, message="hint", channel="push", category="browse")
    >>> change_of(send, PreferencesRow(at=30.0, shopper_id="s", consent={"push": False})).status.name
    'voided'
    >>> change_of(send, PreferencesRow(at=90.0, shopper_id="s", consent={"push": False}))
    """
    line = _line_for(send, row)
    status = None if line is None else line.status(_stage(send, row.at))
    return None if status is None else StatusChange(status, row.at, _reason(row))


def _line_for(send: SendFacts, row: Row) -> Line | None:
    """Return the line of the table that a row falls under, None where the row has nothing to do with the send."""
    return next((line for line in _LINES_OF.get(type(row), ()) if line.applies(send, row)), None)


def _stage(send: SendFacts, at: float) -> Stage:
    is_ahead = send.left_at is None and send.send_at is not None and at < send.send_at
    if send.deferred:
        return Stage.waiting if is_ahead else Stage.due
    if send.window_ends_at is not None and at >= send.window_ends_at:
        return Stage.closed
    return Stage.scheduled if is_ahead else Stage.left


def _reason(row: Row) -> str | None:
    match row:
        case ActivationRow():
            return row.reason
        case OutcomeRow() if OUTCOME_TYPES[row.type].withdraws_consent:
            return row.type
        case OutcomeRow() | EventRow():
            return event_type(row)
        case PreferencesRow():
            return "preferences"
        case ErasureRow():
            return "erasure"
    return None


def departure_time(send_at: float, row: Row) -> float:
    """Return when a send leaves that the gate has let leave by a row.

    A row of an earlier version lets it leave at its send time, or at the row's time where that time has passed.
    """
    left_at = departure_of(row)
    return max(send_at, row.at) if left_at is None else left_at


def departure_of(row: Row) -> float | None:
    """Return the time that a row of the gate states, None where it states none."""
    return row.left_at if isinstance(row, ActivationRow) else None


def status_at(send: SendFacts, now: float) -> SendStatus:
    """Return the status at a time of a send that no row has taken back."""
    if send.send_at is None:
        return HELD
    if send.deferred:
        return EXPIRED if now > send.send_at + ACTIVATION_GRACE_S else WAITING
    return SENT if send.send_at <= now else SCHEDULED


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
    lines = (_line_for(send, row) for _, row in later)
    return next((line.gate_reason for line in lines if line is not None and line.gate_reason is not None), None)
