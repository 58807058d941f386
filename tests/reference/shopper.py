"""A shopper as the log tells it: what they want, and the places that their sends have taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf

from msgspec import UNSET

from policies.records.rows import DecisionRow, PreferencesRow

EXPIRES_AFTER_S = 3_600.0
"""A send that is not activated so long after its send time may not be any more; a deferred one has expired."""


@dataclass(frozen=True)
class Wishes:
    """What a shopper has said; a channel that is absent has not been spoken of."""

    consent: Mapping[str, bool] = field(default_factory=dict)
    reachable: Mapping[str, bool] = field(default_factory=dict)
    muted: tuple[str, ...] = ()
    max_per_week: int | None = None
    quiet: tuple[int, int] | None = None
    """Minutes of the local day, from and to."""
    time_zone: str | None = None
    locale: str | None = None
    erased: bool = False

    def after(self, row: PreferencesRow) -> Wishes:
        """Give what holds after a change: absent fields and channels keep their value, null clears."""
        quiet = row.quiet_hours
        return Wishes(
            consent={**self.consent, **row.consent},
            reachable={**self.reachable, **row.reachable},
            muted=self.muted if row.muted_categories is UNSET else tuple(row.muted_categories or ()),
            max_per_week=self.max_per_week if row.max_per_week is UNSET else row.max_per_week,
            quiet=self.quiet if quiet is UNSET else None if quiet is None else (quiet.start, quiet.end),
            time_zone=self.time_zone if row.time_zone is UNSET else row.time_zone,
            locale=self.locale if row.locale is UNSET else row.locale,
        )


@dataclass(frozen=True)
class Place:
    """A send that was decided and not taken back."""

    event_id: str
    send_at: float
    message: str
    channel: str
    category: str
    critical: bool = False
    waits: bool = False
    """Deferred, and not activated yet."""
    position: int = 0
    """Where the log says so."""
    window_ends_at: float = inf

    @classmethod
    def of(cls, row: DecisionRow, position: int) -> Place:
        """Give the place that a delivered decision takes."""
        drawn = row.triggers[row.drawn_trigger] if row.drawn_trigger is not None else None
        critical = drawn is not None and drawn.critical
        told = (row.message or "", row.channel or "", row.category or "")
        ends_at = inf if row.window_ends_at is None else row.window_ends_at
        send_at = row.send_at or 0.0
        return cls(
            row.event_id,
            send_at,
            *told,
            critical=critical,
            waits=row.deferred,
            position=position,
            window_ends_at=ends_at,
        )

    def is_over(self, now: float) -> bool:
        """Tell whether it is too late to activate it."""
        return now > self.send_at + EXPIRES_AFTER_S

    def has_expired(self, now: float) -> bool:
        """Tell whether it waited for its activation in vain."""
        return self.waits and self.is_over(now)

    def leaving(self, now: float) -> Place:
        """Give the place as of its activation: what is activated after its send time is sent then."""
        return replace(self, waits=False, send_at=max(self.send_at, now))


@dataclass
class Shopper:
    """What the rows up to one position say of a shopper."""

    wishes: Wishes = field(default_factory=Wishes)
    places: dict[str, Place] = field(default_factory=dict)
    held_out_under: float | None = None
    """The share of the holdout that this shopper was found to be in."""

    def counted(self, now: float, but: str) -> Iterator[Place]:
        """Give the places that count under caps, gaps and windows, one decision's own left out."""
        for place in self.places.values():
            if not place.critical and place.event_id != but and not place.has_expired(now):
                yield place

    def give_back(self, gone: Callable[[Place], bool]) -> list[Place]:
        """Give places back, and return them."""
        leaving = [place for place in self.places.values() if gone(place)]
        for place in leaving:
            del self.places[place.event_id]
        return leaving

    def withdraw(self, channel: str, at: float, by: str | None = None) -> list[Place]:
        """Withdraw consent for a channel: its sends ahead are void, but the one that the withdrawal came by."""
        self.wishes = replace(self.wishes, consent={**self.wishes.consent, channel: False})
        return self.give_back(lambda place: place.channel == channel and place.send_at > at and place.event_id != by)
