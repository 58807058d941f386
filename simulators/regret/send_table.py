"""The delivered sends of a run as columns: what was chosen and predicted, and what was true."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.records.outcomes import WITHDRAWALS
from policies.records.rows import DecisionRow
from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.experiments.decision_log import DecisionOutcomes
from simulators.regret.calibration import calibration_slope
from simulators.regret.finished_run import ReactionSums, SendCell, SendSums
from simulators.scenarios.channels import ChannelTable
from simulators.scenarios.scenario import Scenario

LOAD_EDGES = (0.25, 0.75, 1.25, 2.0)
"""Where one load bucket ends and the next one begins; the load is that of the decision's context."""

_HOUR_S, _WEEK_H = 3_600.0, 168


@dataclass(frozen=True)
class ReactionColumns:
    """One kind of reaction to sends, as columns (n,): predicted probability, true probability, and whether it came.

    ``predicted`` is NaN for a send whose row has no prediction.
    """

    predicted: FloatArray
    expected: FloatArray
    realised: BoolArray

    def sum_up(self, chosen: BoolArray) -> ReactionSums:
        """Return the sums over some sends."""
        predicted = self.predicted[chosen & ~np.isnan(self.predicted)]
        return ReactionSums(
            float(predicted.sum()) if len(predicted) else None,
            float(self.expected[chosen].sum()),
            int(self.realised[chosen].sum()),
        )

    def slope(self, chosen: BoolArray) -> float | None:
        """Return the calibration slope over those of some sends that have a prediction."""
        predicted = chosen & ~np.isnan(self.predicted)
        return calibration_slope(self.predicted[predicted], self.expected[predicted])


@dataclass(frozen=True)
class SendTable:
    """The delivered sends of a run, as columns (n,).

    Attributes
    ----------
    loads
        Numbers of load buckets.
    weeks
        The weeks in which the sends were due.
    seen_weeks
        The weeks in which the messages were seen, -1 for never.
    is_watched
        Whether the message could not be seen any more when the run ended.
    clicks, withdrawals
        The reactions; a withdrawal is an opt-out or a complaint.
    """

    channels: NDArray[np.str_]
    delays_s: Indices
    loads: Indices
    weeks: Indices
    seen_weeks: Indices
    is_watched: BoolArray
    clicks: ReactionColumns
    withdrawals: ReactionColumns

    @classmethod
    def of(
        cls,
        records: Sequence[DecisionOutcomes],
        rows: Mapping[str, DecisionRow],
        scenario: Scenario,
        channels: ChannelTable,
    ) -> SendTable:
        """Return the sends of a run that has ended: its decisions, and their rows by event id."""
        sends = [record for record in records if record.delivered]
        of_sends = [rows[record.event_id] for record in sends]
        stays_h = dict(zip(channels.names, channels.stays_h.tolist(), strict=True))
        due_h = np.array([(row.at - scenario.start + (row.delay_s or 0)) / _HOUR_S for row in of_sends])
        ends_h = due_h + np.array([stays_h[str(row.channel)] for row in of_sends])
        loads = [float(row.context.get("load", 0.0)) for row in of_sends]
        seen_h = np.array([-1 if record.seen_h is None else record.seen_h for record in sends], dtype=np.int64)
        return cls(
            channels=np.array([str(row.channel) for row in of_sends], dtype=np.str_),
            delays_s=np.array([row.delay_s for row in of_sends], dtype=np.int64),
            loads=np.searchsorted(LOAD_EDGES, loads, side="right"),
            weeks=due_h.astype(np.int64) // _WEEK_H,
            seen_weeks=seen_h // _WEEK_H,
            is_watched=ends_h <= scenario.hours,
            clicks=ReactionColumns(
                _column(of_sends, lambda row: row.p_click),
                np.array([record.p_click for record in sends]),
                np.array([record.has_outcome("click") for record in sends], dtype=np.bool_),
            ),
            withdrawals=ReactionColumns(
                _column(of_sends, lambda row: row.p_out),
                np.array([record.p_out for record in sends]),
                np.array([any(map(record.has_outcome, WITHDRAWALS)) for record in sends], dtype=np.bool_),
            ),
        )

    def slopes(self, first_week: int) -> dict[str, float]:
        """Return the calibration slope of each head that predicts, over the watched sends due from a week on."""
        chosen = self.is_watched & (self.weeks >= first_week)
        slopes = {"click": self.clicks.slope(chosen), "out": self.withdrawals.slope(chosen)}
        return {head: slope for head, slope in slopes.items() if slope is not None}

    def cells(self, first_week: int) -> Iterator[SendCell]:
        """Yield the sends due from a week on, by channel, delay and load bucket."""
        late = self.weeks >= first_week
        keys = sorted(set(zip(*(column[late].tolist() for column in self._places()), strict=True)))
        for channel, delay_s, load in keys:
            chosen = late & (self.channels == channel) & (self.delays_s == delay_s) & (self.loads == load)
            watched = chosen & self.is_watched
            reactions = self.clicks.sum_up(watched), self.withdrawals.sum_up(watched)
            yield SendCell(channel, delay_s, load, SendSums(int(chosen.sum()), int(watched.sum()), *reactions))

    def _places(self) -> tuple[NDArray[np.str_], Indices, Indices]:
        return self.channels, self.delays_s, self.loads


def _column(rows: Sequence[DecisionRow], read: Callable[[DecisionRow], float | None]) -> FloatArray:
    """Return a number of each row, NaN where the row has none."""
    return np.array([np.nan if (value := read(row)) is None else value for row in rows], dtype=np.float64)
