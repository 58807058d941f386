"""The life of a send: one table says what each row of the log makes of a send.

Everything that asks "does this row take the send back?" asks `TRANSITIONS` through `change_of`: the shopper's state
(the places under the caps), the attribution (what is learned), the inspector, the timeline, the report, and the
activation gate when it is asked again. (Asked for the first time, the gate judges the rules; a bounce is `unreachable`
then.) A new way to take a send back is one more line of the table.

The columns of the table are the stages in which a row can find a send:

=============  ======================================================================================
``waiting``    deferred: the send leaves only once the caller activates it
``activated``  the send has left, or leaves at its send time
``closed``     the send was activated, and its attribution window is over: it counts as sent for good
=============  ======================================================================================

The stage is read from the row's own time. The service dates and orders its rows so that this is right: see
`decision_service.log.row_times`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal, Protocol

import msgspec

from policies.records.outcomes import OUTCOME_TYPES
from policies.records.reasons import Reason
from policies.records.rows import (
    ACTIVATION_GRACE_S,
    ActivationRow,
    CancellationRow,
    DecisionRow,
    ErasureRow,
    OutcomeRow,
    PreferencesRow,
    Row,
)
from policies.records.withholding import EVERY_CHANNEL, SUBSCRIBED, withheld_paths

Status = Literal["held", "waiting", "scheduled", "sent", "expired", "refused", "cancelled", "bounced", "voided"]


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
    gate_reason
        Why the activation gate does not let the send leave any more; None where the row itself says why.
    """

    name: Status
    holds_place: bool = False
    counts_as_sent: bool = False
    is_learned: bool = False
    gate_reason: str | None = None


HELD = SendStatus("held")
"""Nothing was sent; the reason is the decision's ``hold_reason``."""

WAITING = SendStatus("waiting", holds_place=True)
"""The send is deferred, and nobody has activated it yet."""

SCHEDULED = SendStatus("scheduled", holds_place=True, counts_as_sent=True, is_learned=True)
"""The send leaves by itself at its send time, which lies ahead."""

SENT = SendStatus("sent", holds_place=True, counts_as_sent=True, is_learned=True)
"""The send has left."""

EXPIRED = SendStatus("expired", gate_reason=Reason.expired.name)
"""Nobody activated the send within the grace after its send time, or the caller asked the gate after the grace."""

REFUSED = SendStatus("refused")
"""The activation gate said no; the reason is the code of the rule."""

CANCELLED = SendStatus("cancelled", gate_reason="cancelled")
"""The caller said that the send will not leave."""

BOUNCED = SendStatus("bounced", gate_reason="bounced")
"""An outcome said in time that the send reached nobody."""

WITHDRAWN = SendStatus("voided", gate_reason=Reason.no_consent.name)
"""The shopper withdrew consent before the send time.

The reason is the type of the outcome (about another send) or ``preferences``.
"""

ERASED = SendStatus("voided", gate_reason="erased")
"""The shopper was erased before the send time; the reason is ``erasure``."""


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
    """Return whether a row may take back every send of its shopper, and not only the one it names."""
    return any(path == SUBSCRIBED or path.startswith(EVERY_CHANNEL) for path in withheld_paths(row))


def named_sends(row: Row) -> tuple[str, ...]:
    """Return the event ids of the sends that a row names."""
    match row:
        case ActivationRow() | CancellationRow() | OutcomeRow():
            return (row.event_id,)
        case ErasureRow():
            return row.open_event_ids
    return ()


def _says_it_is_lost(send: SendFacts, row: OutcomeRow) -> bool:
    """Return whether an outcome says that the send reached nobody, and says so before the window is over."""
    if row.event_id != send.event_id or not OUTCOME_TYPES[row.type].takes_send_back:
        return False
    return send.window_ends_at is None or not is_late(send.window_ends_at, row.occurred_at, row.at)


def _delivers(send: SendFacts, row: ActivationRow) -> bool:
    return row.event_id == send.event_id and row.deliver


def _refuses(send: SendFacts, row: ActivationRow) -> bool:
    return row.event_id == send.event_id and not row.deliver


def _finds_expired(send: SendFacts, row: ActivationRow) -> bool:
    is_over = send.send_at is not None and row.at > send.send_at + ACTIVATION_GRACE_S
    return _refuses(send, row) and is_over and row.reason == Reason.expired.name


def _cancels(send: SendFacts, row: CancellationRow) -> bool:
    return row.event_id == send.event_id


def _withdraws_ahead(send: SendFacts, row: PreferencesRow) -> bool:
    return _is_ahead(send, row) and withdraws(row, send.channel)


def _opts_out_ahead(send: SendFacts, row: OutcomeRow) -> bool:
    """Return whether an answer to another send withdraws consent for this one."""
    return row.event_id != send.event_id and _is_ahead(send, row) and withdraws(row, send.channel)


def _erases_ahead(send: SendFacts, row: ErasureRow) -> bool:
    return _is_ahead(send, row) and send.event_id in row.open_event_ids


def _is_ahead(send: SendFacts, row: Row) -> bool:
    return send.send_at is not None and row.at < send.send_at


# -- the table --------------------------------------------------------------------------------------


class Stage(Enum):
    """How a row finds a send that was not taken back yet: the columns of the table."""

    waiting = "waiting"
    activated = "activated"
    closed = "closed"


@dataclass(frozen=True)
class Transition:
    """A line of the table: which rows of the log change a send, and its next status by stage; None changes nothing."""

    row_type: type[Row]
    applies: Callable[[Any, Any], bool]
    waiting: SendStatus | None
    activated: SendStatus | None
    closed: SendStatus | None

    def status(self, stage: Stage) -> SendStatus | None:
        """Return the next status of a send in a stage."""
        status: SendStatus | None = getattr(self, stage.value)
        return status


# fmt: off
TRANSITIONS: tuple[Transition, ...] = (
    #          a row of the log  that                waiting    activated  closed
    Transition(ActivationRow,    _delivers,          SCHEDULED, SCHEDULED, SCHEDULED),
    Transition(ActivationRow,    _finds_expired,     EXPIRED,   EXPIRED,   None),
    Transition(ActivationRow,    _refuses,           REFUSED,   REFUSED,   None),
    Transition(CancellationRow,  _cancels,           CANCELLED, CANCELLED, None),
    Transition(OutcomeRow,       _says_it_is_lost,   BOUNCED,   BOUNCED,   None),
    Transition(OutcomeRow,       _opts_out_ahead,    WITHDRAWN, WITHDRAWN, None),
    Transition(PreferencesRow,   _withdraws_ahead,   WITHDRAWN, WITHDRAWN, None),
    Transition(ErasureRow,       _erases_ahead,      ERASED,    ERASED,    None),
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

    @property
    def gate_reason(self) -> str | None:
        """Why the send may not leave any more; None while nothing has taken it back."""
        return None if self.status.holds_place else self.status.gate_reason or self.reason


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
    for line in _LINES_OF.get(type(row), ()):
        if line.applies(send, row):
            status = line.status(_stage(send, row.at))
            return None if status is None else StatusChange(status, row.at, _reason(row))
    return None


def _stage(send: SendFacts, at: float) -> Stage:
    if send.deferred:
        return Stage.waiting
    is_over = send.window_ends_at is not None and at >= send.window_ends_at
    return Stage.closed if is_over else Stage.activated


def _reason(row: Row) -> str | None:
    match row:
        case ActivationRow():
            return row.reason
        case OutcomeRow() if OUTCOME_TYPES[row.type].withdraws_consent:
            return row.type
        case PreferencesRow():
            return "preferences"
        case ErasureRow():
            return "erasure"
    return None


def departure_time(send_at: float, activated_at: float) -> float:
    """Return when an activated send leaves: at its send time, or at its activation where that time has passed."""
    return max(send_at, activated_at)


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
        withdraw consent.
    now
        Epoch seconds.
    """
    if decision.send_at is None:
        return StatusChange(HELD, decision.at, decision.hold_reason)
    send, send_at = decision, decision.send_at
    for position, row in later:
        change = change_of(send, row)
        if change is None:
            continue
        if not change.status.holds_place:
            return replace(change, position=position)
        send_at = departure_time(send_at, row.at)
        send = msgspec.structs.replace(send, send_at=send_at, deferred=False)
    status = status_at(send, now)
    if status is EXPIRED:
        return StatusChange(status, send_at + ACTIVATION_GRACE_S)
    return StatusChange(status, decision.at if status is WAITING else send_at)
