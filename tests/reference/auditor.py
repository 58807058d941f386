"""The auditor: replays a log in the order of its positions and names every rule that was broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import inf

from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    CatalogueRow,
    ClockCorrectionRow,
    ClockRow,
    DecisionRow,
    ErasureRow,
    EventRow,
    OutcomeRow,
    PreferencesRow,
    Row,
)
from tests.reference.draw import find_mistakes
from tests.reference.names import Document, name_today, names_of
from tests.reference.preferences import Preferences
from tests.reference.rules import ASKED_AGAIN, Case, find_broken_rules, send_cost
from tests.reference.shopper import Reservation, Shopper
from tests.reference.spending import DAY_S, Cost, Spending

WITHDRAWING = ("opt_out", "complaint")

OF_ROWS_ALONE = frozenset({"expired", "no_consent", "holdout", "suppression_window", "cooldown", "min_gap", "budget"})
"""Rules that can be checked after an erasure, which removes preferences, time zone and attributes."""


@dataclass(frozen=True)
class Violation:
    """A row that breaks a rule, and the code of the rule."""

    position: int
    event_id: str
    code: str


@dataclass
class Auditor:
    """Reads rows one by one, and collects violations.

    Parameters
    ----------
    erased
        Pseudonyms of erased shoppers. Their rows lack facts of the decision, so some rules cannot be checked.
    key_of
        Returns the key that stands for a shopper's id after an erasure.
    concurrent
        Whether decisions ran side by side. The log's order can then differ from the order in which they saw each
        other. Reservations check each other in both orders, and no activation crosses a decision of the same
        shopper, so all rules between sends hold in the log's order. Costs of critical sends are the exception: a
        decision has surely seen them only if a clock row, written while nothing else ran, lies between.
    """

    erased: frozenset[str] = frozenset()
    key_of: Callable[[str], str] = str
    concurrent: bool = False
    violations: list[Violation] = field(default_factory=list)
    shoppers: dict[str, Shopper] = field(default_factory=dict)
    superseded: int = 0
    """The number of sends whose trigger ended before they left."""
    left_early: int = 0
    """The number of sends that the gate let leave before their send time."""
    _erased_at: dict[str, float] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _clock: int = 0
    _time: float = -inf
    _documents: dict[int, Document] = field(default_factory=dict)
    _in_force: int = 0
    _decisions: dict[str, DecisionRow] = field(default_factory=dict)
    _spending: Spending = field(default_factory=Spending)

    def read(self, position: int, row: Row) -> None:
        """Check the next row."""
        self._time = row.at if isinstance(row, ClockCorrectionRow) else max(self._time, row.at)
        match row:
            case CatalogueRow():
                self._documents[row.version], self._in_force = row.document, row.version
            case DecisionRow():
                self._decision(position, row)
            case ActivationRow():
                self._answer(position, row)
            case CancellationRow():
                self._take_back(row)
            case OutcomeRow():
                self._outcome(row)
            case EventRow():
                self._end_triggers(row.shopper_id, row.type, row.occurred_at, row.at)
            case PreferencesRow():
                self._preferences(row)
            case ErasureRow():
                self._erase(row)
            case ClockRow():
                self._clock = position

    def reservations(self, now: float) -> dict[str, set[Reservation]]:
        """Return the reservations that count at a time, by shopper."""
        taken = {
            name: {
                reservation
                for reservation in shopper.reservations.values()
                if not reservation.critical and not reservation.has_expired(now)
            }
            for name, shopper in self.shoppers.items()
            if name not in self.erased
        }
        return {name: reservations for name, reservations in taken.items() if reservations}

    def costs(self, now: float) -> dict[tuple[str, int], Decimal]:
        """Return the costs of all sends by channel and UTC day."""
        return {
            (channel, day): sum(self._costs_of_day(channel, day * DAY_S, now), Decimal(0))
            for channel, day in self._spending.days()
        }

    def _shopper(self, name: str) -> Shopper:
        if name not in self.shoppers:
            self.shoppers[name] = Shopper(Preferences(erased_at=self._erased_at.get(self.key_of(name))))
        return self.shoppers[name]

    # -- decisions --------------------------------------------------------------------------------

    def _decision(self, position: int, row: DecisionRow) -> None:
        if row.event_id in self._decisions:
            self._report(position, row.event_id, "duplicate")
            return
        self._decisions[row.event_id] = row
        document = self._documents[row.catalogue_version]
        shopper = self._shopper(row.shopper_id)
        held_out = self._is_held_out(shopper, row, document)
        for code in find_mistakes(row, document):
            self._report(position, row.event_id, code)
        if row.send_at is None or row.drawn_trigger is None:
            return
        for code in find_broken_rules(self._case(row, document, shopper, held_out)):
            if code in OF_ROWS_ALONE or row.shopper_id not in self.erased:
                self._report(position, row.event_id, code)
        reservation = shopper.reservations[row.event_id] = Reservation.of(row, position)
        amount = send_cost(document, reservation.message, reservation.channel)
        self._spending.add(Cost(amount, row.shopper_id, reservation))

    def _case(self, row: DecisionRow, document: Document, shopper: Shopper, held_out: bool) -> Case:
        send_at, trigger = row.send_at or 0.0, row.triggers[row.drawn_trigger or 0]
        names = names_of(document, "channels", row.channel or "")
        return Case(
            document=document,
            preferences=shopper.preferences,
            reservations=list(shopper.counting_reservations(row.at, row.event_id)),
            trigger=trigger,
            message=name_today(document, "messages", row.message or ""),
            channel=names[0],
            delay_s=row.delay_s or 0,
            send_at=send_at,
            locale=row.context.get("locale"),
            time_zone=row.context.get("time_zone"),
            spent=sum((cost for name in names for cost in self._costs_of_day(name, send_at, row.at)), Decimal(0)),
            held_out=held_out,
            events=shopper.events,
            occurred_at=row.at if trigger.occurred_at is None else trigger.occurred_at,
        )

    def _is_held_out(self, shopper: Shopper, row: DecisionRow, document: Document) -> bool:
        """Return whether a shopper is held out: from the first time on, as long as the share is the same."""
        share = (document.get("arms") or {}).get("holdout", 0.0)
        if row.arm == "holdout":
            shopper.held_out_under = share
        return row.arm == "holdout" or (share > 0 and shopper.held_out_under == share)

    def _costs_of_day(self, channel: str, at: float, now: float) -> Iterable[Decimal]:
        """Yield the costs of the sends of a channel and UTC day; a released or expired send costs nothing."""
        for cost in self._spending.costs(channel, at):
            event_id = cost.reservation.event_id
            reservation = self.shoppers[cost.shopper_id].reservations.get(event_id)
            is_counted = reservation is not None and not reservation.has_expired(now)
            is_paid = is_counted or event_id in self._spending.paid_for_good
            if is_paid and self._was_surely_spent(cost.reservation):
                yield cost.amount

    def _was_surely_spent(self, reservation: Reservation) -> bool:
        """Return whether the next decision in the log has surely seen the cost of this send."""
        return not reservation.critical or not self.concurrent or reservation.position < self._clock

    # -- activations, outcomes, preferences, erasures ---------------------------------------------

    def _answer(self, position: int, row: ActivationRow) -> None:
        """Check the one answer of the gate that is in the log: later answers write nothing."""
        if row.event_id in self._asked:
            self._report(position, row.event_id, "answered_twice")
            return
        self._asked.add(row.event_id)
        if row.deliver:
            self._activation(position, row)
        else:
            self._take_back(row)

    def _activation(self, position: int, row: ActivationRow) -> None:
        shopper, decision = self._shopper(row.shopper_id), self._decisions.get(row.event_id)
        reservation = shopper.reservations.get(row.event_id)
        if reservation is None or decision is None:
            self._report(position, row.event_id, "activated_without_a_reservation")
            return
        if reservation.is_over(row.at):
            self._report(position, row.event_id, "activated_too_late")
        if row.left_at not in (None, row.at):
            self._report(position, row.event_id, "left_at_another_time")
        for code in self._find_rules_broken_again(row, decision, shopper):
            if code in OF_ROWS_ALONE or row.shopper_id not in self.erased:  # an erasure removes preferences
                self._report(position, row.event_id, f"activated_against_{code}")
        self.left_early += row.left_at is not None and row.left_at < reservation.send_at
        shopper.reservations[row.event_id] = reservation.activate(row.at, row.left_at)
        self._spending.move(reservation, shopper.reservations[row.event_id])

    def _take_back(self, row: ActivationRow | CancellationRow) -> None:
        """Release a reservation, unless it counts as activated and its window is over: its message was sent."""
        reservation = self._shopper(row.shopper_id).reservations.get(row.event_id)
        if reservation is not None and (reservation.waits or self._time < reservation.window_ends_at):
            self._release(row.shopper_id, row.event_id)

    def _find_rules_broken_again(self, row: ActivationRow, decision: DecisionRow, shopper: Shopper) -> list[str]:
        document = self._documents[self._in_force]
        if not _offers(document, decision):
            return ["no_content"]
        case = self._case(decision, document, shopper, held_out=False)
        taken = list(shopper.counting_reservations(row.at, row.event_id))
        leaves_at = max(row.at, case.send_at) if row.left_at is None else row.left_at
        again = replace(case, reservations=taken, send_at=leaves_at)
        return [code for code in find_broken_rules(again) if code in ASKED_AGAIN]

    def _outcome(self, row: OutcomeRow) -> None:
        if row.shopper_id is None:
            return  # of a decision that was not known at that time
        if row.type == "conversion":
            self._end_triggers(row.shopper_id, "purchase", row.occurred_at, row.at)
        if row.channel is None:
            return  # of a hold
        shopper = self._shopper(row.shopper_id)
        if row.type in WITHDRAWING:
            shopper.preferences = shopper.preferences.with_consent(row.channel, False, min(row.occurred_at, row.at))
            shopper.void(self._names(row.channel), row.at, by=row.event_id)
        elif row.type == "bounce":
            self._bounce(row, shopper)

    def _end_triggers(self, shopper_id: str, kind: str, occurred_at: float, at: float) -> None:
        self.superseded += len(self._shopper(shopper_id).end(kind, occurred_at, at))

    def _bounce(self, row: OutcomeRow, shopper: Shopper) -> None:
        if row.permanent:
            words, channel = shopper.preferences, row.channel or ""
            shopper.preferences = words.with_reachability(channel, False, min(row.occurred_at, row.at))
        reservation = shopper.reservations.get(row.event_id)
        # A bounce after the window changes no reservation.
        if reservation is not None and max(row.occurred_at, self._time) < reservation.window_ends_at:
            self._release(row.shopper_id or "", row.event_id)

    def _preferences(self, row: PreferencesRow) -> None:
        shopper = self._shopper(row.shopper_id)
        for channel, consents in row.consent.items():
            if consents is False:
                shopper.void(self._names(channel), row.at)
        if row.subscribed is False:
            shopper.void({one.channel for one in shopper.reservations.values()}, row.at)
        shopper.preferences = shopper.preferences.after(row)

    def _names(self, channel: str) -> tuple[str, ...]:
        """Return the names of a channel in the catalogue in force."""
        return names_of(self._documents[self._in_force], "channels", channel)

    def _erase(self, row: ErasureRow) -> None:
        """Forget a shopper: later sends are void; sends that have left cost money whatever rows follow."""
        shopper = self._shopper(row.shopper_id)
        date = min(row.stated_at, row.at) if isinstance(row.stated_at, float) else row.at
        self._erased_at[row.key] = max(date, shopper.preferences.latest_withdrawal())
        for reservation in shopper.release(lambda reservation: True):
            if reservation.send_at <= row.at:
                self._spending.paid_for_good.add(reservation.event_id)

    def _release(self, shopper_id: str, event_id: str) -> None:
        self._shopper(shopper_id).release(lambda reservation: reservation.event_id == event_id)

    def _report(self, position: int, event_id: str, code: str) -> None:
        self.violations.append(Violation(position, event_id, code))


def _offers(document: Document, decision: DecisionRow) -> bool:
    """Return whether in a catalogue the message answers the trigger and has the channel."""
    message = document["messages"].get(name_today(document, "messages", decision.message or ""))
    channel = name_today(document, "channels", decision.channel or "")
    trigger = decision.triggers[decision.drawn_trigger or 0]
    return message is not None and trigger.type in message["triggers"] and channel in message["templates"]


def audit(rows: Iterable[tuple[int, Row]], *, concurrent: bool = False, key_of: Callable[[str], str] = str) -> Auditor:
    """Audit a whole log of (position, row): see `Auditor`."""
    known = list(rows)
    erased = frozenset(row.shopper_id for _, row in known if isinstance(row, ErasureRow))
    auditor = Auditor(erased, key_of, concurrent)
    for position, row in known:
        auditor.read(position, row)
    return auditor
