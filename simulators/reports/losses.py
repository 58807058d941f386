"""Losses: reports that never come, come late, or come twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from policies.records.outcomes import OutcomeType
from simulators.arrays import FloatArray, Indices
from simulators.random_streams import Purpose, RandomStreams
from simulators.scenarios.report_rules import ReportRules
from simulators.world.schedule import Schedule
from simulators.world.tick import TickOutcomes

KINDS: tuple[OutcomeType, ...] = ("open", "click", "conversion", "refund")
"""The types of outcomes that can be lost. All others are reported at once, as the law and the channels demand."""

_PURPOSES = (Purpose.report_fate, Purpose.report_delay, Purpose.report_copy, Purpose.report_copy_delay)


class Losses:
    """Loses, delays and repeats reports."""

    def __init__(self, rules: ReportRules, streams: RandomStreams) -> None:
        self._rules = rules
        self._streams = streams
        self._waiting = Schedule({"kind": np.int8, "ticket": np.int64, "at": np.float64, "value": np.float64})

    def pass_on(self, hour: int, reports: Iterable[tuple[TickOutcomes, Indices]]) -> list[TickOutcomes]:
        """Return the reports that reach the shop in an hour: the punctual ones of the hour, and late ones.

        ``reports`` are the reports of the hour, each type with its positions in the random streams. The first position
        of a shopper is her number; see `simulators.random_streams`.
        """
        now = [self._lose(hour, outcomes, positions) for outcomes, positions in reports]
        return [*now, *self._release(hour)]

    def _lose(self, hour: int, outcomes: TickOutcomes, positions: Indices) -> TickOutcomes:
        rules, kind = self._rules, KINDS.index(outcomes.kind)
        places = positions + (kind << 60)
        fate, delay, copy, copy_delay = self._streams.uniforms(hour, _PURPOSES, places)
        lost, late = fate < rules.missing, (fate >= rules.missing) & (fate < rules.missing + rules.late)
        self._hold(hour, outcomes, late, delay)
        self._hold(hour, outcomes, ~lost & (copy < rules.repeated), copy_delay)
        return select(outcomes, np.flatnonzero(~lost & ~late))

    def _hold(self, hour: int, outcomes: TickOutcomes, chosen: Indices, uniform: FloatArray) -> None:
        rows = select(outcomes, np.flatnonzero(chosen))
        self._waiting.add(
            hour + 1 - np.log1p(-uniform[chosen]) * self._rules.late_h,
            kind=np.full(len(rows.tickets), KINDS.index(rows.kind), dtype=np.int8),
            ticket=rows.tickets,
            at=rows.at,
            value=np.zeros(len(rows.tickets)) if rows.values is None else rows.values,
        )

    def _release(self, hour: int) -> list[TickOutcomes]:
        _, reports = self._waiting.pop(hour + 1)
        return [
            TickOutcomes(
                kind,
                reports["ticket"][chosen],
                reports["at"][chosen],
                reports["value"][chosen] if kind in ("conversion", "refund") else None,
            )
            for number, kind in enumerate(KINDS)
            if (chosen := reports["kind"] == number).any()
        ]


def select(outcomes: TickOutcomes, rows: Indices | Sequence[int]) -> TickOutcomes:
    """Return some rows of outcomes."""
    values = None if outcomes.values is None else outcomes.values[rows]
    return TickOutcomes(outcomes.kind, outcomes.tickets[rows], outcomes.at[rows], values)
