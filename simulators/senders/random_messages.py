"""Random messages for shoppers who are to get one now."""

from __future__ import annotations

import numpy as np

from simulators.arrays import Indices
from simulators.random_streams import Purpose
from simulators.world.deliveries import Sends
from simulators.world.world import World


def draw_sends(
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
