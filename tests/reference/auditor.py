"""The auditor: replays a log in the order of its positions and names every rule that was broken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import inf

from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    CatalogueRow,
    ClockRow,
    DecisionRow,
    ErasureRow,
    OutcomeRow,
    PreferencesRow,
    Row,
)
from tests.reference.draw import mistakes
from tests.reference.rules import ASKED_AGAIN, Case, Document, broken, cost
from tests.reference.shopper import Place, Shopper, Wishes

DAY_S = 86_400
WITHDRAWING = ("opt_out", "complaint")

OF_ROWS_ALONE = frozenset({"expired", "no_consent", "holdout", "suppression_window", "cooldown", "min_gap", "budget"})
"""Rules that can be checked without what erasure takes away: preferences, time zone, attributes."""


@dataclass(frozen=True)
class Violation:
    """A row that should not be in the log, and the code of the rule that it breaks."""

    position: int
    event_id: str
    code: str


@dataclass(frozen=True)
class _Cost:
    """What a send costs, as long as its place was not given back."""

    amount: Decimal
    shopper_id: str
    place: Place


@dataclass
class Auditor:
    """Reads rows one by one; ``violations`` grows with what it finds.

    Parameters
    ----------
    erased
        Pseudonyms of shoppers whose rows have lost what they were decided on: some rules cannot be checked.
    key_of
        Gives the key by which an erased shopper's id is still known.
    concurrent
        Decisions ran side by side, so that the log may tell them in another order than they looked at each
        other. Reservations look at each other in both orders, and no activation crosses a decision of the same
        shopper, so all rules between sends hold in the log's order. But what a send saw of critical ones' costs
        is then only sure of what lies before the last clock row, which was written while nothing else ran.
    """

    erased: frozenset[str] = frozenset()
    key_of: Callable[[str], str] = str
    concurrent: bool = False
    violations: list[Violation] = field(default_factory=list)
    shoppers: dict[str, Shopper] = field(default_factory=dict)
    _withheld: set[str] = field(default_factory=set)
    _clock: int = 0
    _time: float = -inf
    _documents: dict[int, Document] = field(default_factory=dict)
    _in_force: int = 0
    _decisions: dict[str, DecisionRow] = field(default_factory=dict)
    _paid_for_good: set[str] = field(default_factory=set)
    _spent: dict[tuple[str, int], dict[str, _Cost]] = field(default_factory=lambda: defaultdict(dict))

    def read(self, position: int, row: Row) -> None:
        """Take the next row."""
        self._time = max(self._time, row.at)
        match row:
            case CatalogueRow():
                self._documents[row.version], self._in_force = row.document, row.version
            case DecisionRow():
                self._decision(position, row)
            case ActivationRow(deliver=True):
                self._activation(position, row)
            case ActivationRow():
                self._refusal(row)
            case CancellationRow():
                self._give_back(row.shopper_id, row.event_id)
            case OutcomeRow():
                self._outcome(row)
            case PreferencesRow():
                self._preferences(row)
            case ErasureRow():
                self._erase(row)
            case ClockRow():
                self._clock = position

    def places(self, now: float) -> dict[str, set[Place]]:
        """Give the places taken, by shopper, as they stand at a time."""
        taken = {
            name: {place for place in shopper.places.values() if not place.critical and not place.has_expired(now)}
            for name, shopper in self.shoppers.items()
            if name not in self.erased
        }
        return {name: places for name, places in taken.items() if places}

    def costs(self, now: float) -> dict[tuple[str, int], Decimal]:
        """Give what the sends of each channel and UTC day cost."""
        return {(channel, day): sum(self._paid(channel, day * DAY_S, now), Decimal(0)) for channel, day in self._spent}

    def _shopper(self, name: str) -> Shopper:
        if name not in self.shoppers:
            self.shoppers[name] = Shopper(Wishes(erased=self.key_of(name) in self._withheld))
        return self.shoppers[name]

    # -- decisions --------------------------------------------------------------------------------

    def _decision(self, position: int, row: DecisionRow) -> None:
        if row.event_id in self._decisions:
            self._tell(position, row.event_id, "duplicate")
            return
        self._decisions[row.event_id] = row
        document = self._documents[row.catalogue_version]
        shopper = self._shopper(row.shopper_id)
        held_out = self._is_held_out(shopper, row, document)
        for code in mistakes(row, document):
            self._tell(position, row.event_id, code)
        if row.send_at is None or row.drawn_trigger is None:
            return
        for code in broken(self._case(row, document, shopper, held_out)):
            if code in OF_ROWS_ALONE or row.shopper_id not in self.erased:
                self._tell(position, row.event_id, code)
        place = Place.of(row, position)
        self._take(shopper, _Cost(cost(document, place.message, place.channel), row.shopper_id, place))

    def _take(self, shopper: Shopper, cost_of: _Cost) -> None:
        """Enter a place, and what its send costs on the day that it leaves."""
        place = shopper.places[cost_of.place.event_id] = cost_of.place
        self._spent[self._budget_of(place.channel, place.send_at)][place.event_id] = cost_of

    def _case(self, row: DecisionRow, document: Document, shopper: Shopper, held_out: bool) -> Case:
        send_at, channel = row.send_at or 0.0, row.channel or ""
        return Case(
            document=document,
            wishes=shopper.wishes,
            taken=list(shopper.counted(row.at, row.event_id)),
            trigger=row.triggers[row.drawn_trigger or 0],
            message=row.message or "",
            channel=channel,
            delay_s=row.delay_s or 0,
            send_at=send_at,
            locale=row.context.get("locale"),
            spent=sum(self._paid(channel, send_at, row.at), Decimal(0)),
            held_out=held_out,
        )

    def _is_held_out(self, shopper: Shopper, row: DecisionRow, document: Document) -> bool:
        """Tell whether a shopper is held out: once found to be, always, as long as the share stays."""
        share = (document.get("arms") or {}).get("holdout", 0.0)
        if row.arm == "holdout":
            shopper.held_out_under = share
        return row.arm == "holdout" or (share > 0 and shopper.held_out_under == share)

    def _budget_of(self, channel: str, send_at: float) -> tuple[str, int]:
        return channel, int(send_at // DAY_S)

    def _paid(self, channel: str, send_at: float, now: float) -> Iterable[Decimal]:
        """Give what the sends of a channel's UTC day cost; a send that was taken back or expired costs nothing."""
        for event_id, cost_of in self._spent[self._budget_of(channel, send_at)].items():
            place = self.shoppers[cost_of.shopper_id].places.get(event_id)
            stands = place is not None and not place.has_expired(now)
            if (stands or event_id in self._paid_for_good) and self._is_paid_surely(cost_of.place):
                yield cost_of.amount

    def _is_paid_surely(self, place: Place) -> bool:
        """Tell whether whatever the log says next was certainly decided after this send was paid for."""
        return not place.critical or not self.concurrent or place.position < self._clock

    # -- what happened to them --------------------------------------------------------------------

    def _activation(self, position: int, row: ActivationRow) -> None:
        shopper, decision = self._shopper(row.shopper_id), self._decisions.get(row.event_id)
        place = shopper.places.get(row.event_id)
        if place is None or decision is None:
            self._tell(position, row.event_id, "activated_without_a_place")
            return
        if place.is_over(row.at):
            self._tell(position, row.event_id, "activated_too_late")
        for code in self._broken_again(row, decision, shopper):
            if code in OF_ROWS_ALONE or row.shopper_id not in self.erased:  # erasure took the wishes out of the log
                self._tell(position, row.event_id, f"activated_against_{code}")
        cost_of = self._spent[self._budget_of(place.channel, place.send_at)].pop(row.event_id)
        self._take(shopper, replace(cost_of, place=place.leaving(row.at)))

    def _refusal(self, row: ActivationRow) -> None:
        """Give a place back, unless it counted as activated and its window is over: that one was sent."""
        place = self._shopper(row.shopper_id).places.get(row.event_id)
        if place is not None and (place.waits or self._time < place.window_ends_at):
            self._give_back(row.shopper_id, row.event_id)

    def _broken_again(self, row: ActivationRow, decision: DecisionRow, shopper: Shopper) -> list[str]:
        document = self._documents[self._in_force]
        if not _offers(document, decision):
            return ["no_content"]
        case = self._case(decision, document, shopper, held_out=False)
        taken = list(shopper.counted(row.at, row.event_id))
        again = replace(case, taken=taken, send_at=max(row.at, case.send_at))
        return [code for code in broken(again) if code in ASKED_AGAIN]

    def _outcome(self, row: OutcomeRow) -> None:
        if row.shopper_id is None or row.channel is None:
            return  # of a decision not known then
        if row.type in WITHDRAWING:
            self._shopper(row.shopper_id).withdraw(row.channel, row.at, by=row.event_id)
        elif row.type == "bounce":
            place = self._shopper(row.shopper_id).places.get(row.event_id)
            # One that comes late is reported only.
            if place is not None and max(row.occurred_at, self._time) < place.window_ends_at:
                self._give_back(row.shopper_id, row.event_id)

    def _preferences(self, row: PreferencesRow) -> None:
        shopper = self._shopper(row.shopper_id)
        for channel, consents in row.consent.items():
            if not consents:
                shopper.withdraw(channel, row.at)
        shopper.wishes = shopper.wishes.after(row)

    def _erase(self, row: ErasureRow) -> None:
        """Forget a shopper: what lies ahead is void, what has left stays paid whatever is said of it later."""
        self._withheld.add(row.key)
        for place in self._shopper(row.shopper_id).give_back(lambda place: True):
            if place.send_at <= row.at:
                self._paid_for_good.add(place.event_id)

    def _give_back(self, shopper_id: str, event_id: str) -> None:
        self._shopper(shopper_id).give_back(lambda place: place.event_id == event_id)

    def _tell(self, position: int, event_id: str, code: str) -> None:
        self.violations.append(Violation(position, event_id, code))


def _offers(document: Document, decision: DecisionRow) -> bool:
    """Tell whether a catalogue has the message answer the trigger, and on the channel."""
    message, trigger = document["messages"].get(decision.message), decision.triggers[decision.drawn_trigger or 0]
    return message is not None and trigger.type in message["triggers"] and decision.channel in message["templates"]


def audit(rows: Iterable[tuple[int, Row]], *, concurrent: bool = False, key_of: Callable[[str], str] = str) -> Auditor:
    """Read a whole log, each row with its position: see `Auditor`."""
    known = list(rows)
    erased = frozenset(row.shopper_id for _, row in known if isinstance(row, ErasureRow))
    auditor = Auditor(erased, key_of, concurrent)
    for position, row in known:
        auditor.read(position, row)
    return auditor
