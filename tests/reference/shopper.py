"""A shopper by the log: the preferences, and the reservations of the sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from math import inf
from typing import Any

from msgspec import UNSET

from policies.records import quiet_hours
from policies.records.rows import DecisionRow, PreferencesRow

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

EXPIRES_AFTER_S = 3_600.0
"""Seconds after its send time in which a send can be activated; later a deferred send has expired."""


@dataclass(frozen=True)
class QuietSpan:
    """Hours of the local day, in minutes, and the names of the days on which they begin; None for every day."""

    start: int
    end: int
    days: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, span: Mapping[str, Any]) -> QuietSpan:
        """Return a span as a document writes it."""
        start, end = (int(span[key][:2]) * 60 + int(span[key][3:]) for key in ("from", "to"))
        days = span.get("days")
        return cls(start, end, None if days is None else tuple(days))

    @classmethod
    def of(cls, span: quiet_hours.QuietSpan) -> QuietSpan:
        """Return a span as a row keeps it."""
        return cls(span.start, span.end, tuple(DAYS[day] for day in span.days) if span.days else None)

    def around(self, today: date) -> Iterator[tuple[datetime, datetime]]:
        """Yield the local times at which the span begins and ends, of the spans that begin yesterday and today."""
        for day in (today - timedelta(days=1), today):
            if self.days is None or DAYS[day.weekday()] in self.days:
                midnight = datetime.combine(day, time())
                over_night = timedelta(days=1 if self.end < self.start else 0)
                yield midnight + timedelta(minutes=self.start), midnight + timedelta(minutes=self.end) + over_night


@dataclass(frozen=True)
class Preferences:
    """A shopper's preferences; nothing is known about a channel that is absent."""

    consent: Mapping[str, bool] = field(default_factory=dict)
    reachable: Mapping[str, bool] = field(default_factory=dict)
    muted: tuple[str, ...] = ()
    max_per_week: int | None = None
    quiet: tuple[QuietSpan, ...] = ()
    time_zone: str | None = None
    locale: str | None = None
    erased: bool = False

    def after(self, row: PreferencesRow) -> Preferences:
        """Return the preferences after a change: absent fields and channels keep their value, null clears."""
        quiet = row.quiet_hours
        return Preferences(
            consent={**self.consent, **row.consent},
            reachable={**self.reachable, **row.reachable},
            muted=self.muted if row.muted_categories is UNSET else tuple(row.muted_categories or ()),
            max_per_week=self.max_per_week if row.max_per_week is UNSET else row.max_per_week,
            quiet=self.quiet if quiet is UNSET else () if quiet is None else tuple(map(QuietSpan.of, quiet.spans)),
            time_zone=self.time_zone if row.time_zone is UNSET else row.time_zone,
            locale=self.locale if row.locale is UNSET else row.locale,
        )


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

    @classmethod
    def of(cls, row: DecisionRow, position: int) -> Reservation:
        """Return the reservation of a delivered decision."""
        drawn = row.triggers[row.drawn_trigger] if row.drawn_trigger is not None else None
        critical = drawn is not None and drawn.critical
        return cls(
            row.event_id,
            row.send_at or 0.0,
            row.message or "",
            row.channel or "",
            row.category or "",
            critical=critical,
            waits=row.deferred,
            position=position,
            window_ends_at=inf if row.window_ends_at is None else row.window_ends_at,
        )

    def is_over(self, now: float) -> bool:
        """Return whether it is too late for an activation."""
        return now > self.send_at + EXPIRES_AFTER_S

    def has_expired(self, now: float) -> bool:
        """Return whether the send was deferred and not activated in time."""
        return self.waits and self.is_over(now)

    def activate(self, now: float) -> Reservation:
        """Return the reservation after an activation: a send activated after its send time leaves at once."""
        return replace(self, waits=False, send_at=max(self.send_at, now))


@dataclass
class Shopper:
    """The state of a shopper after the rows up to one position."""

    preferences: Preferences = field(default_factory=Preferences)
    reservations: dict[str, Reservation] = field(default_factory=dict)
    held_out_under: float | None = None
    """The holdout share under which this shopper is held out."""

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

    def withdraw(self, channel: str, at: float, by: str | None = None) -> list[Reservation]:
        """Withdraw consent to a channel: its later sends are void, except the send that the withdrawal answers."""
        self.preferences = replace(self.preferences, consent={**self.preferences.consent, channel: False})
        return self.release(
            lambda reservation: (
                reservation.channel == channel and reservation.send_at > at and reservation.event_id != by
            )
        )
