"""The fold of decisions: what was sent and held in a span, and what came of it.

Only sends are remembered, because something may still happen to them; holds are counted at once.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable

import msgspec

from decision_service.queries.report.figures import Figures
from decision_service.queries.report.grouping import Group
from policies.learning.attribution import Owner, by_name
from policies.records.rows import (
    ACTIVATION_GRACE_S,
    WITHDRAWALS,
    ActivationRow,
    DecisionRow,
    ErasureRow,
    OutcomeRow,
    PreferencesRow,
    Row,
)
from policies.sends import KeptBack, Status, is_withdrawal, kept_back


class _Send(msgspec.Struct, gc=False):
    """A send of the span and what is known of it: the compact form that grows with their number.

    ``figures`` belongs to its group, the texts are shared among sends.
    """

    event_id: str
    shopper_id: str
    channel: str
    send_at: float
    position: int  # that of the decision, or of the activation: withdrawals before it are dealt with
    figures: Figures
    deferred: bool
    window_ends_at: float | None
    kept: KeptBack | None = None
    kept_at: int = sys.maxsize  # the position of the row that kept it back
    clicked: bool = False
    opted_out: bool = False
    conversions: int = 0
    revenue: float = 0.0


class Decided:
    """Folds the log's rows, in position order, into the figures of groups of decisions.

    Parameters
    ----------
    group
        Tells the group of a decision.
    owner
        Tells to whom rows belong, where shoppers may be erased while the log is read.
    """

    def __init__(self, group: Callable[[DecisionRow], Group], owner: Owner = by_name) -> None:
        self._group = group
        self._owner = owner
        self._figures: dict[Group, Figures] = defaultdict(Figures)
        self._sends: dict[str, _Send] = {}
        self._withdrawals: dict[str, list[tuple[int, Row]]] = defaultdict(list)
        self._early: dict[str, list[OutcomeRow]] = defaultdict(list)

    def decide(self, position: int, row: DecisionRow) -> None:
        """Count a decision of the span."""
        figures = self._figures[self._group(row)]
        if row.send_at is None or row.channel is None:
            figures.holds[row.hold_reason or ""] += 1
            return
        shopper_id, channel = sys.intern(self._owner(position, row.shopper_id)), sys.intern(row.channel)
        send = _Send(
            row.event_id, shopper_id, channel, row.send_at, position, figures, row.deferred, row.window_ends_at
        )
        self._sends[row.event_id] = send
        for outcome in self._early.pop(row.event_id, ()):
            _answer(send, outcome)

    def add(self, position: int, row: Row) -> None:
        """Fold what happened later, to decisions of the span or others."""
        if isinstance(row, ErasureRow):
            for event_id in row.open_event_ids:
                self._end(event_id, position, row)
        elif isinstance(row, OutcomeRow | PreferencesRow) and is_withdrawal(row):
            owner = self._owner(position, row.shopper_id or "")
            self._withdrawals[owner].append((position, msgspec.structs.replace(row, shopper_id=owner)))
        send = self._sends.get(getattr(row, "event_id", ""))
        if isinstance(row, OutcomeRow):
            self._outcome(send, row)
        elif isinstance(row, ActivationRow) and row.deliver and send is not None:
            self._activate(send, position, row)
        if send is not None:
            self._end(send.event_id, position, row)

    def _outcome(self, send: _Send | None, row: OutcomeRow) -> None:
        if send is not None:
            _answer(send, row)
        elif row.shopper_id is None:  # its decision was not known yet, and may still show up
            self._early[row.event_id].append(row)

    def _end(self, event_id: str, position: int, row: Row) -> None:
        send = self._sends.get(event_id)
        if send is not None and send.kept is None and (kept := kept_back(send, row)) is not None:
            send.kept, send.kept_at = kept[0], position

    def _activate(self, send: _Send, position: int, row: ActivationRow) -> None:
        """Let a send leave, now where its time has passed; what voided it before has done so."""
        self._void(send)
        send.deferred, send.send_at, send.position = False, max(send.send_at, row.at), position

    def _void(self, send: _Send) -> None:
        """Let the first withdrawal that a send lay ahead of void it, unless something else kept it back before."""
        for position, row in self._withdrawals.get(send.shopper_id, ()):
            if send.position < position < send.kept_at and (kept := kept_back(send, row)) is not None:
                send.kept, send.kept_at = kept[0], position
                return

    def figures(self, now: float) -> dict[Group, Figures]:
        """Give the figures of each group as known at a time; may be asked again after more rows."""
        counted = {group: Figures(holds=own.holds.copy()) for group, own in self._figures.items()}
        place = {id(own): counted[group] for group, own in self._figures.items()}
        for send in self._sends.values():
            _count(place[id(send.figures)], send, self._status(send, now), now)
        return counted

    def _status(self, send: _Send, now: float) -> Status:
        self._void(send)
        if send.kept is not None:
            return send.kept
        if send.deferred:
            return "expired" if now > send.send_at + ACTIVATION_GRACE_S else "waiting"
        return "sent" if send.send_at <= now else "scheduled"


def _answer(send: _Send, outcome: OutcomeRow) -> None:
    send.clicked |= outcome.type == "click"
    send.opted_out |= outcome.type in WITHDRAWALS
    if outcome.type == "conversion":
        send.conversions += 1
        send.revenue += outcome.value


def _count(figures: Figures, send: _Send, status: Status, now: float) -> None:
    figures.opt_outs += send.opted_out
    if status not in ("sent", "scheduled"):
        figures.undelivered[status] += 1
        return
    figures.delivered += 1
    figures.scheduled += status == "scheduled"
    figures.clicks += send.clicked
    figures.conversions += send.conversions
    figures.converted += send.conversions > 0
    figures.revenue += send.revenue
