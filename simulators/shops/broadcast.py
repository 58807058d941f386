"""Senders: shops that decide for all shoppers at once, without guardrails: baselines, sweeps and benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulators.random_streams import Purpose
from simulators.world.deliveries import Sends
from simulators.world.tick import Rows, Tick
from simulators.world.world import World

DELAYS_H = (0.0, 2.0, 8.0, 11.0, 14.0)
_DAY = 24


class Sender(Protocol):
    """Decides, at the beginning of each tick, what to send to whom."""

    def sends(self, world: World) -> Sends | None:
        """Give the sends of this tick; None for none."""
        ...


class NoSends:
    """Sends nothing: what shoppers do by themselves."""

    def sends(self, world: World) -> Sends | None:
        """Give nothing."""
        return None


@dataclass(frozen=True)
class Broadcast:
    """The same number of messages a week to everybody who consented, at a fixed hour.

    Attributes
    ----------
    per_week
        1 to 7, spread over the week's days.
    channels
        By preference: each shopper gets it on the first one consented to.
    hour
        Local hour of sending.
    """

    per_week: int
    channels: tuple[str, ...]
    hour: int = 21

    def __post_init__(self) -> None:
        if not 1 <= self.per_week <= 7:
            raise ValueError(f"per_week must lie between 1 and 7, not {self.per_week}")
        if not 0 <= self.hour < _DAY:
            raise ValueError(f"hour must lie between 0 and 23, not {self.hour}")

    def sends(self, world: World) -> Sends | None:
        """Give a message drawn at random to everybody, on the days of sending."""
        day, hour = divmod(world.tick, _DAY)
        if hour != self.hour or day % 7 not in {number * 7 // self.per_week for number in range(self.per_week)}:
            return None
        names, shoppers = world.repertoire.channels.names, world.present()
        preferred = np.array([names.index(channel) for channel in self.channels])
        standing = world.consent[shoppers][:, preferred]
        reached = standing.any(axis=1)
        channels = preferred[standing.argmax(axis=1)][reached]
        return _random_messages(world, shoppers[reached], channels)


def push_daily() -> Broadcast:
    """A push a day at 20 h."""
    return Broadcast(7, ("push",), 20)


def three_a_week() -> Broadcast:
    """Three messages a week at 20 h: push before e-mail before SMS."""
    return Broadcast(3, ("push", "email", "sms"), 20)


class RandomSender:
    """Sends at random times: message, consented channel and delay alike.

    Parameters
    ----------
    per_week
        Sends per shopper and week on average.
    """

    def __init__(self, per_week: float = 3.0) -> None:
        if not 0.0 < per_week <= 168.0:
            raise ValueError(f"per_week must lie above 0 and not exceed 168, not {per_week}")
        self._miss = np.log1p(-min(per_week / 168.0, 1.0 - 1e-12))
        self._next: NDArray[np.int32] | None = None

    def sends(self, world: World) -> Sends | None:
        """Give the sends of the shoppers whose turn it is."""
        if self._next is None:
            everybody = np.arange(len(world.population))
            self._next = self._following(world, everybody) + world.population.joins
        due = np.flatnonzero(self._next <= world.tick)
        if not len(due):
            return None
        self._next[due] = self._following(world, due)
        standing = world.consent[due]
        count = standing.sum(axis=1)
        (choice,) = world.society.streams.uniforms(world.tick, [Purpose.sender_channel], due)
        pick = (choice * count).astype(np.int64)
        channels = (standing.cumsum(axis=1) <= pick[:, None]).sum(axis=1)
        reached = count > 0
        return _random_messages(world, due[reached], channels[reached], DELAYS_H)

    def _following(self, world: World, shoppers: Rows) -> NDArray[np.int32]:
        (uniform,) = world.society.streams.uniforms(world.tick, [Purpose.sender], shoppers)
        return np.asarray((world.tick + 1 + np.log1p(-uniform) / self._miss).astype(np.int32))


def _random_messages(world: World, shoppers: Rows, channels: Rows, delays: tuple[float, ...] = (0.0,)) -> Sends:
    message, delay = world.society.streams.uniforms(
        world.tick, [Purpose.sender_message, Purpose.sender_delay], shoppers
    )
    count = len(shoppers)
    return Sends(
        tickets=np.arange(count),
        shoppers=shoppers,
        messages=(message * len(world.repertoire.messages)).astype(np.int64),
        channels=channels,
        delays_h=np.asarray(delays)[(delay * len(delays)).astype(np.int64)],
        warmth=np.zeros(count),
    )


def run(
    world: World,
    sender: Sender,
    ticks: int | None = None,
    watch: Callable[[Tick], None] | None = None,
    note: Callable[[int, Sends], None] | None = None,
) -> None:
    """Let a sender act for some hours, to the calendar's end if not said otherwise.

    ``watch`` hears of every hour, ``note`` of every tick's sends, with tickets from 0 upwards.
    """
    tickets = 0
    for _ in range(world.scenario.hours - world.tick if ticks is None else ticks):
        hour = world.step()
        if watch is not None:
            watch(hour)
        sends = sender.sends(world)
        if sends is not None and len(sends):
            sends = replace(sends, tickets=np.arange(tickets, tickets + len(sends)))
            tickets += len(sends)
            if note is not None:
                note(world.tick, sends)
            world.send(sends)
