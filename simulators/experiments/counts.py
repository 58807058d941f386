"""The tally: sends and what came of them, counted by week, channel, message and hour of sending."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policies.records.outcomes import OUTCOME_TYPES, WITHDRAWALS
from simulators.world.deliveries import Sends
from simulators.world.messages import Messages
from simulators.world.tick import Tick


class Counts:
    """Counts of one run; outcomes are booked to the week and hour in which their send was due.

    Attributes
    ----------
    counts
        Outcome type → (weeks, C, M, 24) int64.
    revenue
        (weeks, C, M, 24), value of conversions.
    """

    def __init__(self, weeks: int, repertoire: Messages) -> None:
        shape = (weeks, len(repertoire.channels.names), len(repertoire.messages), 24)
        self.counts: dict[str, NDArray[np.int64]] = {kind: np.zeros(shape, dtype=np.int64) for kind in OUTCOME_TYPES}
        self.revenue = np.zeros(shape)
        self._shape = shape
        self._cells: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def sent(self, tick: int, sends: Sends) -> None:
        """Note sends; their tickets must be below 2^31 and not repeat."""
        due = tick + sends.delays_h.astype(np.int64)
        weeks = np.minimum(due // 168, self._shape[0] - 1)
        cells = np.ravel_multi_index((weeks, sends.channels, sends.messages, due % 24), self._shape)
        needed = int(sends.tickets.max()) + 1
        if needed > len(self._cells):
            grown = np.full(2 * needed, -1, dtype=np.int64)
            grown[: len(self._cells)] = self._cells
            self._cells = grown
        self._cells[sends.tickets] = cells

    def saw(self, hour: Tick) -> None:
        """Count what an hour brought."""
        for outcomes in hour.outcomes:
            cells = self._cells[outcomes.tickets]
            np.add.at(self.counts[outcomes.kind].reshape(-1), cells, 1)
            if outcomes.values is not None:
                np.add.at(self.revenue.reshape(-1), cells, outcomes.values)

    def total(self, kind: str) -> int:
        """Give how often an outcome came."""
        return int(self.counts[kind].sum())

    @property
    def withdrawals(self) -> NDArray[np.int64]:
        """Opt-outs and complaints, (weeks, C, M, 24)."""
        total = np.zeros(self._shape, dtype=np.int64)
        for kind in WITHDRAWALS:
            total += self.counts[kind]
        return total
