"""A shopper by the log: the preferences, and the reservations of the sends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from math import inf

from policies.records.rows import DecisionRow
from tests.reference.preferences import Preferences

EXPIRES_AFTER_S = 3_600.0
"""Seconds after its send time in which a send can be activated; later a deferred send has expired."""


@dataclass(frozen=True)
class Reservation:
    """A send that was decided and not taken back."""

    event_id: str
    send_at: float
    message: str
    channel: str
    category: str
    critical: bool = False
    waits: bool = False
    """Whether the send is deferred and not activated yet."""
    position: int = 0
    """Position of the decision in the log."""
    window_ends_at: float = inf
    occurred_at: float = inf
    """When the trigger occurred that the send answers."""
    ends_on: tuple[str, ...] = ()
    """The types of events that end this trigger."""
    paid_at: float = 0.0
    """The time on whose UTC day the budget pays for the send."""
    has_left: bool = False
    """Whether the gate has let the send leave, and its row says when."""

    @classmethod
    def of(cls, row: DecisionRow, position: int) -> Reservation:
        """Return the reservation of a delivered decision."""
        send_at, drawn = row.send_at or 0.0, row.triggers[row.drawn_trigger or 0]
        return cls(
            row.event_id,
            send_at,
            row.message or "",
            row.channel or "",
            row.category or "",
            critical=drawn.critical,
            waits=row.deferred,
            position=position,
            window_ends_at=inf if row.window_ends_at is None else row.window_ends_at,
            occurred_at=row.at if drawn.occurred_at is None else drawn.occurred_at,
            ends_on=drawn.ends_on,
            paid_at=send_at,
        )

    def is_over(self, now: float) -> bool:
        """Return whether it is too late for an activation."""
        return now > self.send_at + EXPIRES_AFTER_S

    def has_expired(self, now: float) -> bool:
        """Return whether the send was deferred and not activated in time."""
        return self.waits and self.is_over(now)

    def activate(self, now: float, left_at: float | None) -> Reservation:
        """Return the reservation after an activation.

        The send leaves at the time that the row states, and the budget of the planned day has paid for it. A row of an
        earlier version states no time: a send that was activated after its send time leaves at once, on the budget of
        that day.
        """
        if left_at is not None:
            return replace(self, waits=False, send_at=left_at, has_left=True)
        leaves_at = max(self.send_at, now)
        return replace(self, waits=False, send_at=leaves_at, paid_at=leaves_at)

    def lies_ahead(self, at: float) -> bool:
        """Return whether the send has not left by a time."""
        return not self.has_left and self.send_at > at

    def ends_by(self, kind: str, occurred_at: float) -> bool:
        """Return whether an event ends the trigger that the send answers: one that is dated after the trigger."""
        return kind in self.ends_on and occurred_at > self.occurred_at


@dataclass
class Shopper:
    """The state of a shopper after the rows up to one position."""

    preferences: Preferences = field(default_factory=Preferences)
    reservations: dict[str, Reservation] = field(default_factory=dict)
    held_out_under: float | None = None
    """The holdout share under which this shopper is held out."""
    events: list[tuple[str, float]] = field(default_factory=list)
    """The type and the date of each event; an order that is credited to a send is a ``purchase``."""

    def counting_reservations(self, now: float, but: str) -> Iterator[Reservation]:
        """Yield the reservations that count under caps, gaps and windows, except that of one decision."""
        for reservation in self.reservations.values():
            if not reservation.critical and reservation.event_id != but and not reservation.has_expired(now):
                yield reservation

    def release(self, is_released: Callable[[Reservation], bool]) -> list[Reservation]:
        """Remove reservations, and return them."""
        released = [reservation for reservation in self.reservations.values() if is_released(reservation)]
        for reservation in released:
            del self.reservations[reservation.event_id]
        return released

    def void(self, channels: Collection[str], at: float, by: str | None = None) -> None:
        """Release the sends on these channels that lie ahead, except the send that the withdrawal answers."""
        self.release(lambda one: one.channel in channels and one.lies_ahead(at) and one.event_id != by)

    def end(self, kind: str, occurred_at: float, at: float) -> list[Reservation]:
        """Release the sends that lie ahead and answer a trigger that an event ends, and remember the event."""
        self.events.append((kind, occurred_at))
        return self.release(lambda one: one.ends_by(kind, occurred_at) and one.lies_ahead(at))
