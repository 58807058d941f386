"""Broadcasts: the same messages for every shopper with consent, on fixed days at a fixed hour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.senders.random_messages import draw_sends
from simulators.world.deliveries import Sends
from simulators.world.world import World

_DAY = 24


@dataclass(frozen=True)
class Broadcast:
    """Sends the same number of messages per week to every shopper with consent, at a fixed hour of the day.

    Attributes
    ----------
    per_week
        1 to 7, spread over the days of the week.
    channels
        By preference: a shopper gets the message on the first channel with consent.
    hour
        Hour of the day.
    offers
        Whether it also sends offers: each costs its discount.
    """

    per_week: int
    channels: tuple[str, ...]
    hour: int = 21
    offers: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.per_week <= 7:
            raise ValueError(f"per_week must lie between 1 and 7, not {self.per_week}")
        if not 0 <= self.hour < _DAY:
            raise ValueError(f"hour must lie between 0 and 23, not {self.hour}")

    def choose(self, world: World) -> Sends | None:
        """Return one random message for every shopper with consent, on the days of sending."""
        day, hour = divmod(world.hour, _DAY)
        if hour != self.hour or day % 7 not in {number * 7 // self.per_week for number in range(self.per_week)}:
            return None
        names, shoppers = world.messages.channels.names, world.joined_shoppers()
        preferred = np.array([names.index(channel) for channel in self.channels])
        consent = world.consent[shoppers][:, preferred]
        reachable = consent.any(axis=1)
        channels = preferred[consent.argmax(axis=1)][reachable]
        is_offer = world.messages.is_offer
        choice = np.flatnonzero(~is_offer) if not (self.offers or is_offer.all()) else None
        return draw_sends(world, shoppers[reachable], channels, choice=choice)


def push_daily() -> Broadcast:
    """Return a broadcast of one push per day at 20 h."""
    return Broadcast(7, ("push",), 20, offers=False)


def three_a_week() -> Broadcast:
    """Return a broadcast of three messages per week at 20 h: push before e-mail before SMS."""
    return Broadcast(3, ("push", "email", "sms"), 20, offers=False)


def emails(per_week: int) -> Broadcast:
    """Return a broadcast of e-mails at 10 h."""
    return Broadcast(per_week, ("email",), 10, offers=False)
