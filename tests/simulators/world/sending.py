"""Sends for the tests of the world."""

from __future__ import annotations

import numpy as np

from simulators.arrays import Indices
from simulators.world.deliveries import Sends
from simulators.world.world import World


def send_to(
    world: World, shoppers: Indices, channel: int, *, message: int = 2, delay_h: float = 0.0, warmth: float = 0.0
) -> None:
    """Send one message to each shopper; the tickets are the numbers of the shoppers."""
    count = len(shoppers)
    channels, messages = np.full(count, channel), np.full(count, message)
    world.send(Sends(shoppers, shoppers, messages, channels, np.full(count, delay_h), np.full(count, warmth)))
