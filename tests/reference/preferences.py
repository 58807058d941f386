"""What a shopper allows and withholds, by the log: every word has a date, and dates only hold grants back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from math import inf
from typing import Any

from msgspec import UNSET

from policies.records import quiet_hours
from policies.records.rows import PreferencesRow

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


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
    """A shopper's preferences; nothing is known about a channel that is absent.

    A word acts when it arrives, and its date is never later. ``withheld_at`` holds, by path such as ``consent.push``,
    the latest date of a word that withholds. A word that grants acts only where its date is later.
    """

    consent: Mapping[str, bool | None] = field(default_factory=dict)
    reachable: Mapping[str, bool | None] = field(default_factory=dict)
    muted: tuple[str, ...] = ()
    subscribed: bool = True
    max_per_week: int | None = None
    quiet: tuple[QuietSpan, ...] = ()
    time_zone: str | None = None
    locale: str | None = None
    erased_at: float | None = None
    withheld_at: Mapping[str, float] = field(default_factory=dict)

    def after(self, row: PreferencesRow) -> Preferences:
        """Return the preferences after a change: absent fields and channels keep their value, null clears."""
        quiet, said_at = row.quiet_hours, row.at if row.stated_at is None else min(row.stated_at, row.at)
        words = replace(
            self,
            max_per_week=self.max_per_week if row.max_per_week is UNSET else row.max_per_week,
            quiet=self.quiet if quiet is UNSET else () if quiet is None else tuple(map(QuietSpan.of, quiet.spans)),
            time_zone=self.time_zone if row.time_zone is UNSET else row.time_zone,
            locale=self.locale if row.locale is UNSET else row.locale,
        )
        for channel, consents in row.consent.items():
            words = words.with_consent(channel, consents, said_at)
        for channel, reaches in row.reachable.items():
            words = words.with_reachability(channel, reaches, said_at)
        if row.muted_categories is not UNSET:
            words = words._with_muted(tuple(row.muted_categories or ()), said_at)
        if row.subscribed is not UNSET:
            words = words._with_subscription(row.subscribed is not False, said_at)
        return words

    def latest_withdrawal(self) -> float:
        """Return the latest date of a word that withholds consent on some channel, or on every channel."""
        dates = (date for path, date in self.withheld_at.items() if path.startswith(("consent.", "subscribed")))
        return max((self._first_date("consent."), *dates))

    def with_consent(self, channel: str, consents: bool | None, said_at: float) -> Preferences:
        """Return the preferences after a word about consent to a channel."""
        changed = self._say(f"consent.{channel}", consents is False, said_at)
        return self if changed is None else replace(changed, consent={**self.consent, channel: consents})

    def with_reachability(self, channel: str, reaches: bool | None, said_at: float) -> Preferences:
        """Return the preferences after a word about whether a channel reaches the shopper."""
        changed = self._say(f"reachable.{channel}", reaches is False, said_at)
        return self if changed is None else replace(changed, reachable={**self.reachable, channel: reaches})

    def _with_subscription(self, subscribed: bool, said_at: float) -> Preferences:
        changed = self._say("subscribed", not subscribed, said_at)
        return self if changed is None else replace(changed, subscribed=subscribed)

    def _with_muted(self, categories: tuple[str, ...], said_at: float) -> Preferences:
        """Return the preferences after a list of muted categories: one that the list lacks is unmuted."""
        words = self
        for category in dict.fromkeys((*self.muted, *categories)):
            changed = words._say(f"muted.{category}", category in categories, said_at)
            others = tuple(name for name in words.muted if name != category)
            if changed is not None:
                words = replace(changed, muted=(*others, category) if category in categories else others)
        return words

    def _say(self, path: str, withholds: bool, said_at: float) -> Preferences | None:
        """Return the preferences with the date of a word, None for a grant that does not act."""
        before = self.withheld_at.get(path, self._first_date(path))
        if withholds:
            return replace(self, withheld_at={**self.withheld_at, path: max(before, said_at)})
        return self if said_at > before else None

    def _first_date(self, path: str) -> float:
        """Return the date of the erasure, which withdraws consent on every channel."""
        return self.erased_at if self.erased_at is not None and path.startswith("consent.") else -inf
