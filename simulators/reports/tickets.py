"""The tickets of sends: whom each send goes to, on which channel, and where its random numbers begin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulators.arrays import BoolArray, Indices
from simulators.world.deliveries import Sends, stream_positions


class Tickets:
    """The sends of a world by their tickets.

    Parameters
    ----------
    channels
        The names of the world's channels.
    """

    def __init__(self, channels: Sequence[str]) -> None:
        self._channels = channels
        self._sends: dict[int, tuple[int, int, str]] = {}

    def add(self, sends: Sends) -> None:
        """Add sends; their tickets must not repeat."""
        positions = stream_positions(sends.shoppers, sends.messages, sends.channels)
        columns = (sends.tickets, sends.shoppers, positions, sends.channels)
        for ticket, shopper, position, channel in zip(*(column.tolist() for column in columns), strict=True):
            self._sends[ticket] = (shopper, position, self._channels[channel])

    def shopper(self, ticket: int) -> int:
        """Return the shopper whom a send goes to."""
        return self._sends[ticket][0]

    def shoppers(self, tickets: Indices) -> Indices:
        """Return the shoppers whom sends go to."""
        return np.array([self._sends[ticket][0] for ticket in tickets.tolist()], dtype=np.int64)

    def positions(self, tickets: Indices) -> Indices:
        """Return the positions of sends in the random streams."""
        return np.array([self._sends[ticket][1] for ticket in tickets.tolist()], dtype=np.int64)

    def are_emails(self, tickets: Indices) -> BoolArray:
        """Return which of the sends are e-mails."""
        return np.array([self._sends[ticket][2] == "email" for ticket in tickets.tolist()], dtype=bool)
