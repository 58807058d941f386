"""Broadcasts in a world: the value of each channel alone, and of e-mails by their number a week.

Messages are random and without discounts. All broadcasts of a world meet the same shoppers and the same random numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from simulators.arrays import FloatArray
from simulators.scenario import Scenario
from simulators.shops.broadcast import Broadcast, NoSends, Sender, run_sender
from simulators.world.messages import STANDARD
from simulators.world.world import World

CHANNELS = STANDARD.channels.names
A_WEEK = 2
"""Messages a week by each channel alone."""

SWEEP = (0, 1, 2, 3, 5, 7)
"""E-mails a week."""

HOUR = 10
"""Hour of the day at which all are sent."""

WITHOUT_DISCOUNTS = replace(STANDARD, costs=STANDARD.costs - STANDARD.costs[:, :1])


@dataclass(frozen=True)
class Broadcasts:
    """Values by shopper, (N,): the expected margin of a run minus that of the same shoppers without sends."""

    by_channel: Mapping[str, FloatArray]
    by_number: Mapping[int, FloatArray]

    @property
    def best_channel(self) -> str:
        """The channel with the largest value of `A_WEEK` messages a week."""
        return max(self.by_channel, key=lambda channel: float(self.by_channel[channel].mean()))

    @property
    def best_number(self) -> int:
        """The number of e-mails a week with the largest value."""
        return max(self.by_number, key=lambda number: float(self.by_number[number].mean()))


def measure_broadcasts(scenario: Scenario, shoppers: int, seed: int) -> Broadcasts:
    """Measure every broadcast in one world."""

    def margins(sender: Sender) -> FloatArray:
        world = World(scenario, shoppers, seed, WITHOUT_DISCOUNTS)
        run_sender(world, sender)
        return world.margins.expected

    without = margins(NoSends())
    by_number = {0: without - without}
    by_number |= {number: margins(Broadcast(number, ("email",), HOUR)) - without for number in SWEEP[1:]}
    by_channel = {
        channel: by_number[A_WEEK] if channel == "email" else margins(Broadcast(A_WEEK, (channel,), HOUR)) - without
        for channel in CHANNELS
    }
    return Broadcasts(by_channel, by_number)
