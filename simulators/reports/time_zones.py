"""Time zones: of some shoppers all times are reported in a wrong time zone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulators.reports.shares import draw_share
from simulators.reports.tickets import Tickets
from simulators.scenarios.report_rules import ReportRules
from simulators.world.tick import TickOutcomes
from simulators.world.world_state import WorldState


class TimeZones:
    """The time zones in which the shop's tools report: the right one, or for some shoppers a wrong one."""

    def __init__(self, rules: ReportRules, state: WorldState, tickets: Tickets) -> None:
        self._error_h = rules.zone_error_h
        self._tickets = tickets
        self._are_wrong = draw_share(state, "wrong zone", rules.wrong_zones)

    def shift(self, hour: int, outcomes: TickOutcomes) -> TickOutcomes:
        """Return outcomes with the times that are reported: not after this hour, nor before the calendar."""
        wrong = self._are_wrong[self._tickets.shoppers(outcomes.tickets)]
        at = np.clip(outcomes.at + self._error_h, 0.0, hour + 1.0)
        return replace(outcomes, at=np.where(wrong, at, outcomes.at))
