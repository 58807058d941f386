"""Machines: mail programs that open every e-mail, and scanners that click in every e-mail."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simulators.reports.losses import select
from simulators.reports.shares import draw_share
from simulators.reports.tickets import Tickets
from simulators.scenarios.report_rules import ReportRules
from simulators.world.tick import Tick, TickOutcomes
from simulators.world.world_state import WorldState

_CLICK_H = 0.01
"""Hours from the arrival of an e-mail to the clicks of a scanner."""


class Machines:
    """The machines of the shoppers: some shoppers have a mail program that opens, some a scanner that clicks."""

    def __init__(self, rules: ReportRules, state: WorldState, tickets: Tickets) -> None:
        self._tickets = tickets
        self._have_opener = draw_share(state, "machine opens", rules.machine_opens)
        self._have_scanner = draw_share(state, "machine clicks", rules.machine_clicks)

    def react(self, tick: Tick) -> Iterator[TickOutcomes]:
        """Yield what machines do with the e-mails that arrive in an hour."""
        for outcomes in tick.outcomes:
            if outcomes.kind != "delivered" or not len(outcomes.tickets):
                continue
            email, shoppers = self._tickets.are_emails(outcomes.tickets), self._tickets.shoppers(outcomes.tickets)
            opened = select(outcomes, np.flatnonzero(email & self._have_opener[shoppers]))
            clicked = select(outcomes, np.flatnonzero(email & self._have_scanner[shoppers]))
            yield TickOutcomes("open", opened.tickets, opened.at)
            yield TickOutcomes("click", clicked.tickets, clicked.at + _CLICK_H)
