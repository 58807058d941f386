"""A busy shop for timing decisions: a catalogue with every rule, a shopper with many sends, and a request."""

from __future__ import annotations

from typing import Any

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.quiet_hours import QuietHours
from policies.records.request import Request
from policies.records.rows import TriggerRecord
from policies.rules.situation import Surroundings
from policies.shopper.state import Send, ShopperState

NOW = 1_795_280_400.0
"""2026-11-21T17:00:00Z."""

_DAY_S = 86_400
_CATEGORIES = ("cart", "price", "browse", "service", "loyalty")
_CHANNELS = ("push", "email", "sms", "webpush", "inapp")
_SENT_DAYS = (-20.1, -16.4, -13.2, -11.9, -9.3, -8.8, -6.5, -5.2, -3.7, -2.1, 0.3, 1.6)
"""Days from now of the shopper's past and future sends: five per week."""


def rulebook(messages: int, channels: int) -> Rulebook:
    """Return a catalogue with so many messages and channels, five delays, and every rule."""
    return Rulebook.of(Catalogue.from_document(document(messages, channels)), 1)


def document(messages: int, channels: int) -> dict[str, Any]:
    """Return the catalogue of `rulebook` as its document."""
    names = _CHANNELS[:channels]
    return {
        "defaults": {"time_zone": "Europe/Madrid", "locale": "en"},
        "delays_s": [0, 3_600, 14_400, 43_200, 86_400],
        "channels": {name: _channel() for name in names},
        "messages": {f"message_{number}": _message(number, names) for number in range(messages)},
        "triggers": {"cart_abandoned": {"priority": 2, "expires_s": 2 * _DAY_S}},
        "caps": [{"max": 8, "window_s": 7 * _DAY_S}, {"max": 3, "calendar": "day"}, {"max": 9, "calendar": "week"}],
        "categories": {name: {"caps": [{"max": 3, "window_s": 7 * _DAY_S}]} for name in _CATEGORIES[:messages]},
        "min_gap_s": 3_600,
        "suppression": [
            {"after": "cart", "blocks": "price", "window_s": 7_200},
            {"after": "cart", "blocks": "browse", "window_s": 14_400},
        ],
        "arms": {"holdout": 0.05},
    }


def _channel() -> dict[str, Any]:
    return {
        "cost": 0.01,
        "attribution_window_s": 14_400,
        "caps": [{"max": 3, "window_s": 7 * _DAY_S}, {"max": 2, "calendar": "day"}],
        "quiet_hours": {"from": "22:00", "to": "08:00"},
        "daily_budget": 100.0,
    }


def _message(number: int, channels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "category": _CATEGORIES[number % len(_CATEGORIES)],
        "triggers": ["cart_abandoned"],
        "cooldown_s": _DAY_S,
        "caps": [{"max": 2, "window_s": 7 * _DAY_S}],
        "templates": {name: {"en": {"title": "{{ product }}", "body": "Still there"}} for name in channels},
    }


def shopper(book: Rulebook) -> ShopperState:
    """Return a shopper with preferences and a realistic number of sends."""
    messages, channels = book.space.messages, book.space.channels
    sends = []
    for number, days in enumerate(_SENT_DAYS):
        message = messages[number % len(messages)]
        category = book.catalogue.messages[message].category
        sends.append(
            Send(
                event_id=f"e-{number}",
                send_at=NOW + days * _DAY_S,
                message=message,
                channel=channels[number % len(channels)],
                category=category,
                cost=0.01,
            )
        )
    return ShopperState(
        consent=dict.fromkeys(channels, True),
        reachable={channels[-1]: False},
        muted_categories=("loyalty",),
        max_per_week=10,
        quiet_hours=QuietHours(23 * 60, 7 * 60),
        time_zone="America/New_York",
        sends=tuple(sends),
    )


def request() -> Request:
    """Return a request about an abandoned cart."""
    trigger = TriggerRecord("cart_abandoned", 2, NOW + 2 * _DAY_S, attributes={"product": "Runner 3", "price": 59.9})
    return Request("e-now", "s-1", (trigger,), NOW, {"device": "mobile", "cart_value": 59.9})


def surroundings(book: Rulebook) -> Surroundings:
    """Return the money that the channels have spent today."""
    today = int(NOW // _DAY_S)
    return Surroundings({(name, day): 12_000_000 for name in book.space.channels for day in (today, today + 1)})
