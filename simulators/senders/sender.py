"""A sender decides for all shoppers at once, without guardrails; used for baselines and in benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from simulators.world.deliveries import Sends
from simulators.world.tick import Tick
from simulators.world.world import World


class Sender(Protocol):
    """Decides, at the beginning of each hour, which messages to send to which shoppers."""

    def choose(self, world: World) -> Sends | None:
        """Return the sends of this hour; None for none."""
        ...


class NoSends:
    """Sends nothing, to show what shoppers do without messages."""

    def choose(self, world: World) -> Sends | None:
        return None


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
