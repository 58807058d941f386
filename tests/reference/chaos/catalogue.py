"""The catalogue of the stress run: it has every kind of rule, and every rule is tight enough to exclude sends.

A channel, a category and a message have two names each, which take turns during the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

BEGIN = 1_795_280_400.0
"""Begin of a stress run: 2026-11-21T17:00:00Z."""

DAY_S = 86_400
CHANNELS = ("push", "email", "sms")
CATEGORIES = ("cart", "price", "browse", "service")
TRIGGERS = ("left", "dropped", "viewed", "order")
LONGEST_DELAY_S = 43_200
SUNDAYS = {"from": "00:00", "to": "24:00", "days": ["sun"]}


FIRST_NAMES = {"email": "email", "cart": "cart", "reminder": "reminder"}
OTHER_NAMES = {"email": "letter", "cart": "basket", "reminder": "nudge"}


def document(
    sms_budget: float = 2.0, names: Mapping[str, str] = FIRST_NAMES, former: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the catalogue under some names; ``former`` are those that the catalogue had before."""
    email, cart, reminder = names["email"], names["cart"], names["reminder"]
    channels = ("push", email, "sms")
    catalogue: dict[str, Any] = {
        "defaults": {"consent": dict.fromkeys(channels, True), "time_zone": "Europe/Madrid", "locale": "en"},
        "delays_s": [0, 900, 3_600, 14_400, LONGEST_DELAY_S],
        "channels": {
            "push": _channel(0.001, {"max": 6, "window_s": 3 * DAY_S}, {"from": "23:00", "to": "07:00"}),
            email: _channel(0.002, {"max": 3, "calendar": "day"}, [SUNDAYS, {"from": "02:00", "to": "05:00"}]),
            "sms": _channel(0.05, {"max": 2, "window_s": DAY_S}, {"from": "20:00", "to": "09:00"}, budget=sms_budget),
        },
        "messages": {
            reminder: _message(cart, ["left"], channels, cooldown_s=7_200, caps=[{"max": 4, "window_s": 2 * DAY_S}]),
            "rescue": _message(cart, ["left", "dropped"], channels, caps=[{"max": 1, "calendar": "day"}]),
            "alert": _message("price", ["dropped"], channels, cost=0.001, body="{{ product }} is cheaper"),
            "hint": _message("browse", ["viewed", "left"], channels, cooldown_s=900),
            "picks": _message("browse", ["viewed"], channels, caps=[{"max": 3, "calendar": "week"}]),
            "receipt": _message("service", ["order"], channels),
        },
        "triggers": {
            "left": {"priority": 2, "expires_s": 21_600, "ends_on": ["purchase"]},
            "dropped": {"priority": 2, "expires_s": DAY_S, "ends_on": ["purchase", "add_to_cart"]},
            "viewed": {"priority": 4, "expires_s": 2 * DAY_S},
            "order": {"priority": 1, "expires_s": 3_600, "critical": True},
        },
        "caps": [
            {"max": 4, "calendar": "day"},
            {"max": 5, "window_s": DAY_S},
            {"max": 20, "calendar": "week"},
            {"max": 30, "calendar": "month"},
        ],
        "categories": {
            cart: {"caps": [{"max": 3, "window_s": DAY_S}]},
            "browse": {"caps": [{"max": 2, "calendar": "day"}]},
        },
        "min_gap_s": 900,
        "suppression": [
            {"after": cart, "blocks": "price", "window_s": 3_600},
            {"after": "price", "blocks": "browse", "window_s": 1_800},
        ],
        "arms": {"holdout": 0.02},
    }
    for part, name in (("channels", "email"), ("categories", "cart"), ("messages", "reminder")):
        if former is not None:
            catalogue[part][names[name]]["formerly"] = [former[name]]
    return catalogue


def _channel(cost: float, cap: dict[str, Any], quiet: object, budget: float | None = None) -> dict[str, Any]:
    return {
        "cost": cost,
        "attribution_window_s": 14_400,
        "caps": [cap],
        "quiet_hours": quiet,
        "daily_budget": budget,
    }


def _message(
    category: str, triggers: list[str], channels: Iterable[str], *, body: str = "Hello", **more: Any
) -> dict[str, Any]:
    templates = {channel: {"en": {"title": "T", "body": body}} for channel in channels}
    return {"category": category, "triggers": triggers, "templates": templates, **more}
