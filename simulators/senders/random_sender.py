"""A sender without any plan: random times, messages, channels and delays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import Indices
from simulators.random_streams import Purpose
from simulators.senders.random_messages import draw_sends
from simulators.world.deliveries import Sends
from simulators.world.world import World

DELAYS_H = (0.0, 2.0, 8.0, 11.0, 14.0)
_NEVER_H = 2**30
"""A wait that no calendar reaches: the waits of a very low rate would not fit into an integer."""


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
        return draw_sends(world, due[reachable], channels[reachable], DELAYS_H)

    def _draw_next(self, world: World, shoppers: Indices) -> NDArray[np.int32]:
        (uniform,) = world.state.streams.uniforms(world.hour, [Purpose.sender], shoppers)
        waits = np.minimum(np.log1p(-uniform) / self._log_miss, _NEVER_H)
        return np.asarray((world.hour + 1 + waits).astype(np.int32))
