"""Reminders after abandoned carts."""

from __future__ import annotations

import numpy as np

from simulators.arrays import Indices
from simulators.world.deliveries import Sends
from simulators.world.tick import Tick
from simulators.world.world import World


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
