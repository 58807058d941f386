"""The life of a send: one table says what each row of the log makes of a send.

Everything that asks "does this row take the send back?" asks `TRANSITIONS` through `change_of`: the shopper's state
(the places under the caps), the attribution (what is learned), the inspector, the timeline, the report, and the
activation gate (`policies.sends.life.stop_of`). A new way to take a send back is one more line of the table. The
columns are the stages in which a row can find a send: see `policies.sends.stages`.

A row that finds a send too late to take it back still stops the gate: the message of a send that has left may be on
its way, but the caller who asks once more must not send it again. So each line also has the gate's reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from policies.records.endings import ends, event_type, may_end_triggers
from policies.records.outcomes import OUTCOME_TYPES
from policies.records.reasons import Reason
from policies.records.rows import (
    ACTIVATION_GRACE_S,
    SHOPPER_ROWS,
    ActivationRow,
    CancellationRow,
    ErasureRow,
    EventRow,
    OutcomeRow,
    PreferencesRow,
    Row,
)
from policies.sends.concerns import is_late, is_withdrawal, withdraws
from policies.sends.facts import SendFacts
from policies.sends.stages import Stage, stage_at
from policies.sends.status import (
    BOUNCED,
    CANCELLED,
    ERASED,
    EXPIRED,
    REFUSED,
    SCHEDULED,
    SUPERSEDED,
    WITHDRAWN,
    SendStatus,
    StatusChange,
)

AnySend = TypeVar("AnySend", bound=SendFacts)

# -- what rows say by themselves ---------------------------------------------------------------------


def _takes_send_back(row: OutcomeRow) -> bool:
    return OUTCOME_TYPES[row.type].takes_send_back


@dataclass(frozen=True)
class _Rows:
    """Rows of some types; of these rows, only those that say something."""

    types: tuple[type[Row], ...]
    say_so: Callable[[Any], bool] = lambda _: True


_GATE_ANSWERS = _Rows((ActivationRow,))
_CANCELLATIONS = _Rows((CancellationRow,))
_BOUNCES = _Rows((OutcomeRow,), _takes_send_back)
_ANSWERS_NO = _Rows((OutcomeRow,), is_withdrawal)
_WITHDRAWALS = _Rows((OutcomeRow, PreferencesRow), is_withdrawal)
_ERASURES = _Rows((ErasureRow,))
_DEEDS = _Rows((EventRow, OutcomeRow), may_end_triggers)


# -- what rows say of a send -------------------------------------------------------------------------


def _bounces(send: SendFacts, row: OutcomeRow) -> bool:
    return row.event_id == send.event_id


def _bounces_in_time(send: SendFacts, row: OutcomeRow) -> bool:
    """Return whether a bounce of the send comes before the window is over."""
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
    return ends(row, send.ends_on, send.occurred_at)


# -- the table --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A line of the table: which rows of the log change a send, and its next status by stage; None changes nothing.

    ``rows`` asks the row alone, because most rows change no send; ``applies`` asks what the row says of a send.
    ``gate_reason`` is what the activation gate says of the send from then on, in every stage. It is None for the rows
    of the gate itself.
    """

    rows: _Rows
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
    #    a row that                          waiting     due        scheduled   left       closed     the gate
    Line(_GATE_ANSWERS,    _delivers,        SCHEDULED,  SCHEDULED, SCHEDULED,  SCHEDULED, SCHEDULED, None),
    Line(_GATE_ANSWERS,    _finds_expired,   EXPIRED,    EXPIRED,   EXPIRED,    EXPIRED,   None,      None),
    Line(_GATE_ANSWERS,    _refuses,         REFUSED,    REFUSED,   REFUSED,    REFUSED,   None,      None),
    Line(_CANCELLATIONS,   _cancels,         CANCELLED,  CANCELLED, CANCELLED,  CANCELLED, None,      "cancelled"),
    Line(_BOUNCES,         _bounces_in_time, BOUNCED,    BOUNCED,   BOUNCED,    BOUNCED,   None,      "bounced"),
    Line(_BOUNCES,         _bounces,         None,       None,      None,       None,      None,      "bounced"),
    Line(_ANSWERS_NO,      _answers_no,      None,       None,      None,       None,      None,      _NO_CONSENT),
    Line(_WITHDRAWALS,     _withdraws,       WITHDRAWN,  None,      WITHDRAWN,  None,      None,      _NO_CONSENT),
    Line(_ERASURES,        _erases,          ERASED,     None,      ERASED,     None,      None,      "erased"),
    Line(_DEEDS,           _ends,            SUPERSEDED, None,      SUPERSEDED, None,      None,      "superseded"),
)
# fmt: on
"""Of the lines for a row, the first that applies has the say. A send that was taken back stays taken back."""

_LINES: Mapping[type[Row], tuple[Line, ...]] = {
    row_type: tuple(line for line in TRANSITIONS if row_type in line.rows.types) for row_type in SHOPPER_ROWS
}
"""The lines of the table by the type of the row."""


def lines_for(row: Row) -> list[Line]:
    """Return the lines of the table by which a row may change a send, none for most rows."""
    return [line for line in _LINES.get(type(row), ()) if line.rows.say_so(row)]


def changes_of(sends: Collection[AnySend], row: Row) -> list[tuple[AnySend, StatusChange]]:
    """Return the sends that a row changes, each with what the row makes of the send: see `change_of`."""
    if not sends or not (lines := lines_for(row)):
        return []
    return [(send, change) for send in sends if (change := _change(send, row, lines)) is not None]


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
    return _change(send, row, lines_for(row))


def _change(send: SendFacts, row: Row, lines: Sequence[Line]) -> StatusChange | None:
    line = _first(send, row, lines)
    status = None if line is None else line.status(stage_at(send, row.at))
    return None if status is None else StatusChange(status, row.at, _reason(row))


def _first(send: SendFacts, row: Row, lines: Sequence[Line]) -> Line | None:
    for line in lines:
        if line.applies(send, row):
            return line
    return None


def line_for(send: SendFacts, row: Row) -> Line | None:
    """Return the line of the table that a row falls under, None where the row has nothing to do with the send."""
    return _first(send, row, lines_for(row))


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
