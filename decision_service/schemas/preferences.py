"""Preferences: the document that GET gives, read from a state."""

from __future__ import annotations

from policies.catalogue.document import Catalogue
from policies.records.rows import QuietHours
from policies.rules.consent import consents
from policies.shopper.state import ShopperState


def preferences_of(state: ShopperState, catalogue: Catalogue) -> dict[str, object]:
    """Give the preferences in a state, the catalogue's defaults where the shopper has said nothing."""
    return {
        "consent": {channel: consents(state, channel, catalogue.consents(channel)) for channel in catalogue.channels},
        "reachable": {channel: state.reachable.get(channel, True) for channel in catalogue.channels},
        "muted_categories": list(state.muted_categories),
        "max_per_week": state.max_per_week,
        "quiet_hours": None if state.quiet_hours is None else _quiet_hours(state.quiet_hours),
        "time_zone": state.time_zone or catalogue.defaults.time_zone,
        "locale": state.locale or catalogue.defaults.locale,
    }


def _quiet_hours(hours: QuietHours) -> dict[str, str]:
    return {name: f"{each // 60:02}:{each % 60:02}" for name, each in (("from", hours.start), ("to", hours.end))}
