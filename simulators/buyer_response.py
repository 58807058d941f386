"""How the buyers of a replay respond: a small, honest simulation beside their real purchases.

The purchases of a replay are real; what their buyers do with a notification cannot be known and is
simulated here: taste, hour and fatigue, nothing more. Every number is a judgement, written down before any
policy was run on it. The full simulator (channels' reach, intent, staleness, organic orders) is another.

Random numbers belong to the decision's event id, so that all policies meet the same shoppers in the same
mood (common random numbers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from policies.draw import unit_number
from policies.rows import OutcomeType

GROUPS = ("office", "home", "evening")
"""Latent groups: their device gives them away only in part."""

DEVICES = {"office": "desktop", "home": "mobile", "evening": "mobile"}

BASE = -2.9
CHANNEL_TASTE: dict[str, dict[str, float]] = {
    "office": {"email": 1.0, "webpush": 0.5, "push": -0.8, "inapp": -0.6, "sms": -0.4},
    "home": {"push": 0.5, "inapp": 0.9, "email": -0.2, "sms": 0.2, "webpush": -0.8},
    "evening": {"push": 0.9, "email": 0.1, "inapp": 0.3, "sms": 0.4, "webpush": -0.8},
}
CATEGORY_TASTE: dict[str, dict[str, float]] = {
    "office": {"service": 0.6, "loyalty": -0.3, "browse": -0.2, "welcome": 0.1},
    "home": {"service": -0.2, "loyalty": 0.7, "browse": 0.2, "welcome": 0.3},
    "evening": {"service": -0.4, "loyalty": 0.1, "browse": 0.8, "welcome": 0.0},
}
BEST_HOUR = {"office": 10.0, "home": 14.0, "evening": 20.0}
HOUR_GAIN, HOUR_WIDTH = 1.2, 3.0
FATIGUE_PER_SEND, MEMORY_S = 0.45, 5 * 86_400.0
OUT_BASE, OUT_PER_SEND, OUT_AT_NIGHT = -6.2, 0.55, 1.0
OTHER_DEVICE = 0.15
PERSONAL = 0.4
ORDER_GIVEN_CLICK = 0.15
ORDER_VALUE_LOG_MEAN, ORDER_VALUE_LOG_SD = math.log(20.0), 0.6


@dataclass(frozen=True)
class Response:
    """One outcome to come: its type, time (epoch seconds) and value."""

    type: OutcomeType
    at: float
    value: float = 0.0


@dataclass(frozen=True)
class Notification:
    """What reached a buyer."""

    event_id: str
    channel: str
    category: str
    send_at: float


class Buyers:
    """The buyers of one replay, with the notifications they have received so far.

    Parameters
    ----------
    seed
        Another seed gives other buyers and other moods.
    """

    def __init__(self, seed: int) -> None:
        self._seed = f"buyers {seed}".encode()
        self._received: dict[str, list[float]] = {}

    def _unit(self, name: str, stream: str) -> float:
        return unit_number(self._seed, name, stream)

    def group(self, shopper: str) -> str:
        """Give the latent group of a buyer."""
        return GROUPS[int(self._unit(shopper, "group") * len(GROUPS))]

    def device(self, shopper: str) -> str:
        """Give the device that the shop sees; one in seven is not what the group suggests."""
        usual = DEVICES[self.group(shopper)]
        if self._unit(shopper, "device") >= OTHER_DEVICE:
            return usual
        return "mobile" if usual == "desktop" else "desktop"

    def load(self, shopper: str, at: float) -> float:
        """Give how many recent notifications weigh on a buyer, decayed exponentially."""
        return sum(math.exp(-abs(at - sent) / MEMORY_S) for sent in self._received.get(shopper, ()))

    def click_probability(self, shopper: str, notification: Notification) -> float:
        """Give the true probability of a click."""
        group = self.group(shopper)
        hour = (notification.send_at % 86_400.0) / 3_600.0
        away = min(abs(hour - BEST_HOUR[group]), 24.0 - abs(hour - BEST_HOUR[group]))
        personal = PERSONAL * (2 * self._unit(f"{shopper} {notification.channel}", "taste") - 1)
        return _sigmoid(
            BASE
            + CHANNEL_TASTE[group].get(notification.channel, 0.0)
            + CATEGORY_TASTE[group].get(notification.category, 0.0)
            + HOUR_GAIN * math.exp(-((away / HOUR_WIDTH) ** 2) / 2)
            + personal
            - FATIGUE_PER_SEND * self.load(shopper, notification.send_at)
        )

    def out_probability(self, shopper: str, notification: Notification) -> float:
        """Give the true probability of an opt-out."""
        hour = (notification.send_at % 86_400.0) / 3_600.0
        at_night = hour < 7.0 or hour >= 22.0
        load = self.load(shopper, notification.send_at)
        return _sigmoid(OUT_BASE + OUT_PER_SEND * load + OUT_AT_NIGHT * at_night)

    def respond(self, shopper: str, notification: Notification) -> list[Response]:
        """Let a buyer receive a notification; give what comes of it."""
        event_id, sent = notification.event_id, notification.send_at
        clicks = self._unit(event_id, "click") < self.click_probability(shopper, notification)
        leaves = self._unit(event_id, "opt-out") < self.out_probability(shopper, notification)
        self._received.setdefault(shopper, []).append(sent)
        responses = [Response("delivered", sent)]
        if clicks:
            clicked_at = sent - 1_800.0 * math.log(1.0 - self._unit(event_id, "lag"))
            responses.append(Response("click", clicked_at))
            if self._unit(event_id, "order") < ORDER_GIVEN_CLICK:
                responses.append(Response("conversion", clicked_at + 600.0, round(self._value(event_id), 2)))
        if leaves:
            responses.append(Response("opt_out", sent + 900.0))
        return responses

    def _value(self, event_id: str) -> float:
        radius = math.sqrt(-2.0 * math.log(1.0 - self._unit(event_id, "value radius")))
        normal = radius * math.cos(2.0 * math.pi * self._unit(event_id, "value angle"))
        return math.exp(ORDER_VALUE_LOG_MEAN + ORDER_VALUE_LOG_SD * normal)


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))
