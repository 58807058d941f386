"""Preferences of a shopper, as GET and PUT answer them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from policies.catalogue.document import Catalogue
from policies.records.quiet_hours import QuietHours
from policies.rules.consent import consents
from policies.shopper.state import ShopperState


class QuietHoursAnswer(msgspec.Struct, frozen=True):
    """Hours of the shopper's own day in which nothing may arrive; may cross midnight."""

    start: Annotated[str, Meta(examples=["22:00"])] = msgspec.field(name="from")
    end: Annotated[str, Meta(examples=["07:00"])] = msgspec.field(name="to")

    @classmethod
    def of(cls, hours: QuietHours) -> QuietHoursAnswer:
        """Write the minutes of the day as times of the day."""
        return cls(_time_of_day(hours.start), _time_of_day(hours.end))


class PreferencesAnswer(msgspec.Struct, frozen=True):
    """All preferences of a shopper; the catalogue's defaults stand where the shopper has said nothing."""

    consent: Annotated[dict[str, bool], Meta(description="By channel of the catalogue.")]
    reachable: Annotated[dict[str, bool], Meta(description="By channel of the catalogue.")]
    muted_categories: Sequence[str]
    max_per_week: int | None
    quiet_hours: QuietHoursAnswer | None
    time_zone: str
    locale: str


def preferences_of(state: ShopperState, catalogue: Catalogue) -> PreferencesAnswer:
    """Read the preferences in a state."""
    return PreferencesAnswer(
        consent={channel: consents(state, channel, catalogue.consents(channel)) for channel in catalogue.channels},
        reachable={channel: state.reachable.get(channel, True) for channel in catalogue.channels},
        muted_categories=state.muted_categories,
        max_per_week=state.max_per_week,
        quiet_hours=None if state.quiet_hours is None else QuietHoursAnswer.of(state.quiet_hours),
        time_zone=state.time_zone or catalogue.defaults.time_zone,
        locale=state.locale or catalogue.defaults.locale,
    )


def _time_of_day(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
