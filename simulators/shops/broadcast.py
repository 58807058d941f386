"""Senders: they decide for all shoppers at once, without guardrails; used as baselines and in benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import Indices
from simulators.random_streams import Purpose
from simulators.world.deliveries import Sends
from simulators.world.tick import Tick
from simulators.world.world import World

DELAYS_H = (0.0, 2.0, 8.0, 11.0, 14.0)
_DAY = 24
_NEVER_H = 2**30
"""A wait that no calendar reaches: the waits of a very low rate would not fit into an integer."""


class Sender(Protocol):
    """Decides, at the beginning of each hour, which messages to send to which shoppers."""

    def choose(self, world: World) -> Sends | None:
        """Return the sends of this hour; None for none."""
        ...


class NoSends:
    """Sends nothing, to show what shoppers do without messages."""

    def choose(self, world: World) -> Sends | None:
        return None


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
        return _draw_sends(world, shoppers[reachable], channels, choice=choice)


def push_daily() -> Broadcast:
    """Return a broadcast of one push per day at 20 h."""
    return Broadcast(7, ("push",), 20, offers=False)


def three_a_week() -> Broadcast:
    """Return a broadcast of three messages per week at 20 h: push before e-mail before SMS."""
    return Broadcast(3, ("push", "email", "sms"), 20, offers=False)


def emails(per_week: int) -> Broadcast:
    """Return a broadcast of e-mails at 10 h."""
    return Broadcast(per_week, ("email",), 10, offers=False)


class CartReminder:
    """Sends a reminder after every abandoned cart to the shoppers with consent to one channel.

    Parameters
    ----------
    delay_h
        Hours from the cart to the send.
    message
        The message, by its name.
    """

    def __init__(self, channel: str, delay_h: float = 0.0, message: str = "cart_reminder") -> None:
        self._channel = channel
        self._delay_h = delay_h
        self._message = message
        self._carts: Indices = np.empty(0, dtype=np.int64)

    def observe(self, tick: Tick) -> None:
        """Take note of the carts that were abandoned in an hour."""
        carts = [triggers.shoppers for triggers in tick.triggers if triggers.kind == "cart_abandoned"]
        self._carts = np.concatenate([*carts, np.empty(0, dtype=np.int64)])

    def choose(self, world: World) -> Sends | None:
        channel = world.messages.channels.names.index(self._channel)
        shoppers = self._carts[world.consent[self._carts, channel]]
        count = len(shoppers)
        return Sends(
            tickets=np.arange(count),
            shoppers=shoppers,
            messages=np.full(count, world.messages.names.index(self._message)),
            channels=np.full(count, channel),
            delays_h=np.full(count, self._delay_h),
            warmth=np.full(count, world.scenario.parameters.triggers.warmth("cart_abandoned")),
        )


class RandomSender:
    """Sends at random times, with a random message, channel (with consent) and delay.

    Parameters
    ----------
    per_week
        Mean sends per shopper and week.
    """

    def __init__(self, per_week: float = 3.0) -> None:
        if not 0.0 < per_week <= 168.0:
            raise ValueError(f"per_week must lie above 0 and not exceed 168, not {per_week}")
        self._log_miss = np.log1p(-min(per_week / 168.0, 1.0 - 1e-12))
        self._next: NDArray[np.int32] | None = None

    def choose(self, world: World) -> Sends | None:
        if self._next is None:
            everybody = np.arange(len(world.population))
            self._next = self._draw_next(world, everybody) + world.population.joins
        due = (self._next <= world.hour).nonzero()[0]
        if not len(due):
            return None
        self._next[due] = self._draw_next(world, due)
        consents = world.consent.take(due, axis=0).cumsum(axis=1)
        count = consents[:, -1]
        (choice,) = world.state.streams.uniforms(world.hour, [Purpose.sender_channel], due)
        pick = (choice * count).astype(np.int64)
        channels = (consents <= pick[:, None]).sum(axis=1)
        reachable = count > 0
        return _draw_sends(world, due[reachable], channels[reachable], DELAYS_H)

    def _draw_next(self, world: World, shoppers: Indices) -> NDArray[np.int32]:
        (uniform,) = world.state.streams.uniforms(world.hour, [Purpose.sender], shoppers)
        waits = np.minimum(np.log1p(-uniform) / self._log_miss, _NEVER_H)
        return np.asarray((world.hour + 1 + waits).astype(np.int32))


def _draw_sends(
    world: World,
    shoppers: Indices,
    channels: Indices,
    delays: tuple[float, ...] = (0.0,),
    choice: Indices | None = None,
) -> Sends:
    """Draw a message, out of all or of a choice, and a delay for each shopper."""
    numbers = np.arange(len(world.messages.names)) if choice is None else choice
    message, delay = world.state.streams.uniforms(world.hour, [Purpose.sender_message, Purpose.sender_delay], shoppers)
    count = len(shoppers)
    return Sends(
        tickets=np.arange(count),
        shoppers=shoppers,
        messages=numbers[(message * len(numbers)).astype(np.int64)],
        channels=channels,
        delays_h=np.asarray(delays)[(delay * len(delays)).astype(np.int64)],
        warmth=np.zeros(count),
    )


def run_sender(
    world: World,
    sender: Sender,
    ticks: int | None = None,
    on_tick: Callable[[Tick], None] | None = None,
    on_sends: Callable[[int, Sends], None] | None = None,
) -> None:
    """Let a sender decide in a world.

    Parameters
    ----------
    ticks
        The number of hours; None runs to the end of the calendar.
    on_tick
        Called with what happened in each hour.
    on_sends
        Called with the hour and its sends, whose tickets count up from 0 over the run.
    """
    tickets = 0
    for _ in range(world.scenario.hours - world.hour if ticks is None else ticks):
        tick = world.step()
        if on_tick is not None:
            on_tick(tick)
        sends = sender.choose(world)
        if sends is not None and len(sends):
            sends = replace(sends, tickets=np.arange(tickets, tickets + len(sends)))
            tickets += len(sends)
            if on_sends is not None:
                on_sends(world.hour, sends)
            world.send(sends)
