"""Counts of sends and their outcomes, by week, channel, message and hour of sending."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policies.records.outcomes import OUTCOME_TYPES, WITHDRAWALS
from simulators.arrays import Indices
from simulators.world.deliveries import Sends
from simulators.world.messages import Messages
from simulators.world.tick import Tick


class Counts:
    """Counts of one run. An outcome is counted in the week and hour in which its send was due.

    Attributes
    ----------
    outcomes
        Outcome type → number of outcomes, (weeks, C, M, 24) int64.
    revenue
        Value of the conversions, (weeks, C, M, 24).
    """

    def __init__(self, weeks: int, messages: Messages) -> None:
        shape = (weeks, len(messages.channels.names), len(messages.names), 24)
        self.outcomes: dict[str, NDArray[np.int64]] = {kind: np.zeros(shape, dtype=np.int64) for kind in OUTCOME_TYPES}
        self.revenue = np.zeros(shape)
        self._shape = shape
        self._cells: Indices = np.empty(0, dtype=np.int64)

    def record_sends(self, hour: int, sends: Sends) -> None:
        """Remember the week, channel, message and hour of sends. Tickets must be below 2^31 and not repeat."""
        due = hour + sends.delays_h.astype(np.int64)
        weeks = np.minimum(due // 168, self._shape[0] - 1)
        cells = np.ravel_multi_index((weeks, sends.channels, sends.messages, due % 24), self._shape)
        needed = int(sends.tickets.max()) + 1
        if needed > len(self._cells):
            grown = np.full(2 * needed, -1, dtype=np.int64)
            grown[: len(self._cells)] = self._cells
            self._cells = grown
        self._cells[sends.tickets] = cells

    def record_tick(self, tick: Tick) -> None:
        """Count the outcomes of an hour."""
        for outcomes in tick.outcomes:
            cells = self._cells[outcomes.tickets]
            np.add.at(self.outcomes[outcomes.kind].reshape(-1), cells, 1)
            if outcomes.values is not None:
                np.add.at(self.revenue.reshape(-1), cells, outcomes.values)

    def total(self, kind: str) -> int:
        """Return the number of outcomes of a type."""
        return int(self.outcomes[kind].sum())

    @property
    def withdrawals(self) -> NDArray[np.int64]:
        """Opt-outs and complaints, (weeks, C, M, 24)."""
        total = np.zeros(self._shape, dtype=np.int64)
        for kind in WITHDRAWALS:
            total += self.outcomes[kind]
        return total
