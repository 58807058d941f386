"""Preferences of a shopper, as GET and PUT answer them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from policies.catalogue.quiet_hours import WEEKDAYS, Weekday, time_of_day
from policies.catalogue.rulebook import Rulebook
from policies.records.quiet_hours import EVERY_DAY, QuietHours, QuietSpan
from policies.rules.consent import consents_by_itself
from policies.shopper.renames import rename_state
from policies.shopper.state import ShopperState


class QuietHoursAnswer(msgspec.Struct, frozen=True):
    """Hours of the shopper's own day in which nothing may arrive; may cross midnight."""

    start: Annotated[str, Meta(examples=["22:00"])] = msgspec.field(name="from")
    end: Annotated[str, Meta(examples=["07:00"])] = msgspec.field(name="to")
    days: Annotated[
        tuple[Weekday, ...] | UnsetType,
        Meta(description="The local days on which the hours begin."),
    ] = UNSET

    @classmethod
    def of(cls, span: QuietSpan) -> QuietHoursAnswer:
        """Write the minutes of the day as times of the day."""
        days = UNSET if span.days == EVERY_DAY else tuple(WEEKDAYS[day] for day in span.days)
        return cls(time_of_day(span.start), time_of_day(span.end), days)


class PreferencesAnswer(msgspec.Struct, frozen=True):
    """All preferences of a shopper; the catalogue's defaults stand where the shopper has said nothing."""

    consent: Annotated[
        dict[str, bool], Meta(description="By channel of the catalogue. Without a subscription no channel is used.")
    ]
    reachable: Annotated[dict[str, bool], Meta(description="By channel of the catalogue.")]
    subscribed: Annotated[bool, Meta(description="False withholds consent on every channel, those added later too.")]
    muted_categories: Sequence[str]
    max_per_week: int | None
    quiet_hours: QuietHoursAnswer | Sequence[QuietHoursAnswer] | None
    time_zone: str
    locale: str
    stated: Annotated[
        Sequence[str],
        Meta(description="The paths that are the shopper's own words.", examples=[["consent.push", "locale"]]),
    ]


def preferences_of(state: ShopperState, rulebook: Rulebook) -> PreferencesAnswer:
    """Read the preferences in a state, under the names of today."""
    catalogue, state = rulebook.catalogue, rename_state(state, rulebook.former_names)
    channels = catalogue.channels
    return PreferencesAnswer(
        consent={channel: consents_by_itself(state, channel, catalogue.consents(channel)) for channel in channels},
        reachable={channel: state.reachable.get(channel, True) for channel in channels},
        subscribed=state.subscribed is not False,
        muted_categories=state.muted_categories,
        max_per_week=state.max_per_week,
        quiet_hours=_quiet_hours(state.quiet_hours),
        time_zone=state.time_zone or catalogue.defaults.time_zone,
        locale=state.locale or catalogue.defaults.locale,
        stated=[*_paths_of_words(state, [*channels])],
    )


def _paths_of_words(state: ShopperState, channels: Sequence[str]) -> Iterator[str]:
    for field in ("consent", "reachable"):
        yield from (f"{field}.{channel}" for channel in channels if channel in getattr(state, field))
    if state.subscribed is not None:
        yield "subscribed"
    if state.muted_categories:
        yield "muted_categories"
    for field in ("max_per_week", "quiet_hours", "time_zone", "locale"):
        if getattr(state, field) is not None:
            yield field


def _quiet_hours(hours: QuietHours | None) -> QuietHoursAnswer | Sequence[QuietHoursAnswer] | None:
    """Return one span as it is, and several as a list."""
    if hours is None:
        return None
    spans = [QuietHoursAnswer.of(span) for span in hours.spans]
    return spans[0] if len(spans) == 1 else spans
