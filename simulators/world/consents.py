"""Live consents: those of shoppers who have not lapsed, and how many of them a world loses in expectation.

A consent is live while the shopper gives it and has not lapsed: a shop earns with live consents. They are lost by
opt-outs and complaints, by uninstalling the app, and by lapsing; a visit because of a message that wins a lapsed
shopper back makes hers live again. Each loss is booked with its true probability when the world draws it, as the
expected margins are. Over all draws, the expected loss therefore has the same mean as the real one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.scenarios.channels import ChannelTable
from simulators.scenarios.parameters import Parameters

_TOGETHER = 64
"""So many bookings are added at once: each alone has few shoppers."""


class ConsentLosses:
    """The expected losses of live consents in one world."""

    def __init__(self, count: int, channels: ChannelTable) -> None:
        self._expected = np.zeros((count, len(channels.names)))
        self._pending: list[tuple[Indices, NDArray[np.floating[Any]]]] = []

    @property
    def expected(self) -> FloatArray:
        """Live consents lost, minus those won back, by shopper and channel, (N, C)."""
        self._add_pending()
        return self._expected

    def book(self, shoppers: Indices, lost: NDArray[np.floating[Any]]) -> None:
        """Add losses (n, C) of shoppers (n,); a shopper may occur more than once."""
        self._pending.append((shoppers, lost))
        if len(self._pending) == _TOGETHER:
            self._add_pending()

    def _add_pending(self) -> None:
        if self._pending:
            shoppers, lost = (np.concatenate(arrays) for arrays in zip(*self._pending, strict=True))
            self._pending.clear()
            cells = shoppers[:, None] * lost.shape[1] + np.arange(lost.shape[1])
            np.add.at(self._expected.reshape(-1), cells.reshape(-1), lost.reshape(-1))


def losses_per_opt_out(channels: ChannelTable, parameters: Parameters) -> FloatArray:
    """Return the live consents that are lost per expected opt-out, by channel of the message and of consent, (C, C).

    The opt-out ends the consent to its own channel, and the other ones where the shopper lapses; for messages of the
    app, some uninstall the app, which ends the consents to all its channels.

    >>> from simulators.scenarios.parameters import PARAMETERS
    >>> losses_per_opt_out(PARAMETERS.channel_table(("push", "email")), PARAMETERS).round(2)
    array([[1.1, 0.6],
           [0.6, 1. ]])
    """
    lost = np.full((len(channels.names), len(channels.names)), parameters.lapse_per_opt_out)
    np.fill_diagonal(lost, 1.0)
    return np.asarray(lost + parameters.uninstall_share * np.outer(channels.of_app, channels.of_app))


def live_consents(consent: BoolArray, lapsed: BoolArray) -> BoolArray:
    """Return which consents are live, (N, C)."""
    return consent & ~lapsed[:, None]
