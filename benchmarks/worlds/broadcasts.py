"""The value of each channel alone: messages without discounts to everybody with consent, at the same hours.

The broadcasts of a world meet the same shoppers and the same random numbers.
"""

from __future__ import annotations

from dataclasses import replace

from simulators.arrays import FloatArray
from simulators.scenarios.scenario import Scenario
from simulators.senders.broadcast import Broadcast
from simulators.senders.sender import NoSends, Sender, run_sender
from simulators.world.messages import STANDARD
from simulators.world.world import World

CHANNELS = STANDARD.channels.names
A_WEEK, HOUR = 2, 10
"""Messages a week, and the hour of the day at which they are sent."""

WITHOUT_DISCOUNTS = replace(STANDARD, costs=STANDARD.costs - STANDARD.costs[:, :1])


def measure_channels(scenario: Scenario, shoppers: int, seed: int) -> dict[str, float]:
    """Return the expected incremental margin per shopper of each channel alone."""

    def margins(sender: Sender) -> FloatArray:
        world = World(scenario, shoppers, seed, WITHOUT_DISCOUNTS)
        run_sender(world, sender)
        return world.margins.expected

    without = margins(NoSends())
    return {channel: float((margins(Broadcast(A_WEEK, (channel,), HOUR)) - without).mean()) for channel in CHANNELS}
