"""Reporting: turns the events of a world into the reports that its shop gets.

The shop's tools see deliveries, opens and clicks, those of machines among them, and credit orders to sends by a rule.
Then reports are lost, delayed or repeated on their way to the shop. Reports change no event of the world: they use
separate random numbers, and values and margins are those of the events.
"""

from __future__ import annotations

from dataclasses import replace

from simulators.reports.credits import Credits
from simulators.reports.losses import KINDS, Losses
from simulators.reports.machines import Machines
from simulators.reports.recognition import Recognition
from simulators.reports.tickets import Tickets
from simulators.reports.time_zones import TimeZones
from simulators.scenarios.report_rules import TRUE_REPORTS
from simulators.world.deliveries import Sends
from simulators.world.tick import Tick, TickEvents
from simulators.world.world import World


class Reporting:
    """Reports to the shop of a world, by the rules of the world's scenario.

    Attributes
    ----------
    credits
        Which sends the orders were credited to.
    """

    def __init__(self, world: World) -> None:
        rules, state = world.scenario.reports, world.state
        self._rules = rules
        self._tickets = Tickets(world.messages.channels.names)
        self._machines = Machines(rules, state, self._tickets)
        self._recognition = Recognition(rules, state.streams)
        self._losses = Losses(rules, state.streams)
        self._time_zones = TimeZones(rules, state, self._tickets)
        self.credits = Credits(rules, self._tickets)

    @property
    def are_true(self) -> bool:
        """Whether every report is true."""
        return self._rules == TRUE_REPORTS

    def record_sends(self, sends: Sends) -> None:
        """Remember whom sends go to; their tickets must not repeat."""
        if not self.are_true:
            self._tickets.add(sends)

    def report(self, tick: Tick, outside: TickEvents | None = None) -> Tick:
        """Return the report of an hour.

        Parameters
        ----------
        outside
            Orders of this hour that the world did not simulate, as those of a replay.
        """
        if self.are_true:
            return tick
        seen = [one for one in tick.outcomes if one.kind not in ("conversion", "refund")]
        seen += self._machines.react(tick)
        self.credits.add_touches(seen)
        reports = [one for one in seen if one.kind in KINDS]
        reports += [*self.credits.credit_orders(tick, outside), *self.credits.credit_refunds(tick)]
        by_position = (
            (self._time_zones.shift(tick.hour, one), self._tickets.positions(one.tickets)) for one in reports
        )
        outcomes = [one for one in seen if one.kind not in KINDS] + self._losses.pass_on(tick.hour, by_position)
        events, triggers = self._recognition.select_events(tick), self._recognition.select_triggers(tick)
        return replace(tick, outcomes=outcomes, events=events, triggers=triggers)
