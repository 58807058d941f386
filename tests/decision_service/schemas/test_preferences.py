"""Preferences: the shopper's words, and the catalogue's where the shopper has said nothing."""

from __future__ import annotations

import msgspec

from decision_service.schemas.preferences import preferences_of
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.quiet_hours import QuietHours
from policies.shopper.state import ShopperState
from tests.factories import small_document


def test_the_catalogue_speaks_for_a_shopper_who_has_said_nothing() -> None:
    document = small_document(defaults={"consent": {"push": True}, "time_zone": "Europe/Madrid", "locale": "en"})
    preferences = preferences_of(ShopperState(), Rulebook.of(Catalogue.from_document(document), 1))
    assert msgspec.to_builtins(preferences) == {
        "consent": {"push": True, "email": False},
        "reachable": {"push": True, "email": True},
        "subscribed": True,
        "muted_categories": (),
        "max_per_week": None,
        "quiet_hours": None,
        "time_zone": "Europe/Madrid",
        "locale": "en",
        "stated": [],
    }


def test_the_shopper_s_own_words_hold() -> None:
    state = ShopperState(
        consent={"push": False},
        reachable={"email": False},
        muted_categories=("browse",),
        max_per_week=2,
        quiet_hours=QuietHours(22 * 60, 7 * 60 + 5),
        time_zone="Asia/Kolkata",
        locale="es",
    )
    preferences = preferences_of(state, Rulebook.of(Catalogue.from_document(small_document()), 1))
    assert msgspec.to_builtins(preferences) == {
        "consent": {"push": False, "email": True},
        "reachable": {"push": True, "email": False},
        "subscribed": True,
        "muted_categories": ("browse",),
        "max_per_week": 2,
        "quiet_hours": {"from": "22:00", "to": "07:05"},
        "time_zone": "Asia/Kolkata",
        "locale": "es",
        "stated": [
            *("consent.push", "reachable.email", "muted_categories", "max_per_week"),
            *("quiet_hours", "time_zone", "locale"),
        ],
    }
