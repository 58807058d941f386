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
from policies.learning.windows import Owner, shopper_of_row
from policies.records.endings import event_type, may_end_triggers
from policies.records.outcomes import CLICKS, REFUNDS, VALUED, WITHDRAWALS
from policies.records.rows import DecisionRow, OutcomeRow, Row
from policies.sends.concerns import is_withdrawal, named_sends
from policies.sends.departure import departure_of, departure_time
from policies.sends.stages import status_at
from policies.sends.status import SCHEDULED, SendStatus
from policies.sends.transitions import change_of


class _Send(msgspec.Struct, gc=False):
    """What the report keeps of one send. Kept small, because a report keeps as many as there are sends.

    Parameters
    ----------
    position
        The position up to which the rows that concern all sends of the shopper have been applied to the send.
    figures
        The figures of the send's group; strings are shared among sends.
    taken_back
        The status of a send that was taken back, else None.
    """

    event_id: str
    owner: str
    channel: str
    send_at: float
    window_ends_at: float | None
    deferred: bool
    position: int
    figures: Figures
    occurred_at: float | None = None
    ends_on: tuple[str, ...] = ()
    left_at: float | None = None
    taken_back: SendStatus | None = None
    clicked: bool = False
    opted_out: bool = False
    conversions: int = 0
    ordered: float = 0.0
    refunds: int = 0
    refunded: float = 0.0
    machine_opens: bool = False
    machine_clicks: bool = False

    def apply(self, row: Row) -> None:
        """Change the send as the table of the life of a send says."""
        if self.taken_back is not None or (change := change_of(self, row)) is None:
            return
        if change.status.holds_place:
            self.deferred, self.send_at, self.left_at = False, departure_time(self.send_at, row), departure_of(row)
        else:
            self.taken_back = change.status

    def count_outcome(self, row: OutcomeRow) -> None:
        """Count an outcome of the send, whenever it came; what a machine did, apart from everything else."""
        if row.machine:
            self.machine_opens |= row.type not in CLICKS
            self.machine_clicks |= row.type in CLICKS
            return
        self.clicked |= row.type in CLICKS
        self.opted_out |= row.type in WITHDRAWALS
        if row.type in REFUNDS:
            self.refunds += 1
            self.refunded += row.value
        elif row.type in VALUED:
            self.conversions += 1
            self.ordered += row.value

    def count(self, figures: Figures, now: float) -> None:
        """Add the send, as known at a time, to the figures of its group."""
        status = self.taken_back or status_at(self, now)
        figures.opt_outs += self.opted_out
        if not status.counts_as_sent:
            figures.undelivered[status.name] += 1
            return
        figures.delivered += 1
        figures.scheduled += status is SCHEDULED
        figures.clicks += self.clicked
        figures.conversions += self.conversions
        figures.converted += self.conversions > 0
        revenue = max(0.0, self.ordered - self.refunded)
        figures.revenue += revenue
        if not self.clicked:
            figures.unclicked_conversions += self.conversions
            figures.unclicked_revenue += revenue
        figures.refunds += self.refunds
        figures.refunded += self.refunded
        figures.machine_opens += self.machine_opens
        figures.machine_clicks += self.machine_clicks


class DecisionFigures:
    """Folds the log's rows, in position order, into the figures of groups of decisions.

    Parameters
    ----------
    group
        Returns the group of a decision.
    owner
        Brings the rows of one shopper together where shoppers may be erased while the log is read.
    """

    def __init__(self, group: Callable[[DecisionRow], Group], owner: Owner = shopper_of_row) -> None:
        self._group = group
        self._owner = owner
        self._figures: dict[Group, Figures] = defaultdict(Figures)
        self._sends: dict[str, _Send] = {}
        self._ends_on: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._for_all_sends: dict[str, list[tuple[int, Row]]] = defaultdict(list)
        self._early: dict[str, list[OutcomeRow]] = defaultdict(list)
        self._position = 0

    def decide(self, position: int, row: DecisionRow) -> None:
        """Count a decision of the span."""
        self._position = position
        figures = self._figures[self._group(row)]
        if row.send_at is None or row.channel is None:
            figures.holds[row.hold_reason or ""] += 1
            return
        send = self._sends[row.event_id] = _Send(
            event_id=row.event_id,
            owner=sys.intern(self._owner(position, row.shopper_id)),
            channel=sys.intern(row.channel),
            send_at=row.send_at,
            window_ends_at=row.window_ends_at,
            deferred=row.deferred,
            position=position,
            figures=figures,
            occurred_at=row.occurred_at,
            ends_on=self._ends_on.setdefault(row.ends_on, row.ends_on),
        )
        for outcome in self._early.pop(row.event_id, ()):
            send.count_outcome(outcome)

    def add(self, position: int, row: Row) -> None:
        """Fold what happened later, to decisions of the span or others."""
        self._position = position
        shopper_id = getattr(row, "shopper_id", None)
        if shopper_id is not None and self._concerns_all_sends(row):
            self._for_all_sends[self._owner(position, shopper_id)].append((position, row))
        for event_id in named_sends(row):
            send = self._sends.get(event_id)
            if send is not None:
                self._catch_up(send, up_to=position - 1)
                send.apply(row)
        if isinstance(row, OutcomeRow) and not row.is_copy:
            self._count_outcome(row)

    def _count_outcome(self, row: OutcomeRow) -> None:
        send = self._sends.get(row.event_id)
        if send is not None:
            send.count_outcome(row)
        elif row.shopper_id is None:  # its decision was not known yet, and may still show up
            self._early[row.event_id].append(row)

    def _concerns_all_sends(self, row: Row) -> bool:
        """Return whether a row may take back every send of its shopper that is known by now."""
        if is_withdrawal(row):
            return True
        return may_end_triggers(row) and any(event_type(row) in ends_on for ends_on in self._ends_on)

    def _catch_up(self, send: _Send, up_to: int) -> None:
        """Apply the rows that concern all sends of the send's shopper and were not applied yet, up to a position.

        They wait until something else happens to the send, so that nothing needs to find the sends of a shopper.
        """
        for position, row in self._for_all_sends.get(send.owner, ()):
            if send.position < position <= up_to:
                send.apply(row)
        send.position = up_to

    def figures(self, now: float) -> dict[Group, Figures]:
        """Return the figures of each group as known at a time; may be asked again after more rows."""
        counted = {group: Figures(holds=known.holds.copy()) for group, known in self._figures.items()}
        copy_of = {id(known): counted[group] for group, known in self._figures.items()}
        for send in self._sends.values():
            self._catch_up(send, up_to=self._position)
            send.count(copy_of[id(send.figures)], now)
        return counted
