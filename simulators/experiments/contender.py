"""Contenders: what a study compares, each with a name and a way to run in a world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from policies.catalogue.rulebook import Rulebook
from policies.models import rule, uniform
from simulators.experiments.counts import Counts
from simulators.experiments.simulation import Simulation
from simulators.senders.broadcast import emails, push_daily, three_a_week
from simulators.senders.sender import NoSends, Sender, run_sender
from simulators.shops.base import Shop
from simulators.shops.local import LocalShop, PolicySource
from simulators.world.tick import Tick
from simulators.world.world import World

ReportHours = Callable[[int], None]
"""Takes the number of hours that have passed since the last call."""

Play = Callable[[World, int, ReportHours], Counts]
"""Runs a contender in a world to the end of the simulated period, and returns the counts of the run.

The arguments are the world, its seed, and a function that the run calls with the hours that have passed.
"""

SENDS_A_WEEK = (1, 2, 3, 5, 7)
"""Numbers of e-mails a week of the broadcasts among the baselines."""

NO_SEND, RULE, UNIFORM = "no send", rule.RULE.name, uniform.UNIFORM.name
"""The names of the contender that sends nothing, of the business rule, which a shop would otherwise use, and of uniform
choice."""


@dataclass(frozen=True)
class Contender:
    """A policy, a sender or a shop that a study compares with others: a name, and a function that runs it."""

    name: str
    play: Play


def sender_contender(name: str, make: Callable[[], Sender]) -> Contender:
    """Return a `Sender` as a contender: a sender decides for all shoppers at once, without guardrails."""

    def play(world: World, seed: int, report_hours: ReportHours) -> Counts:
        counts = Counts(world.scenario.weeks, world.messages)

        def on_tick(tick: Tick) -> None:
            counts.record_tick(tick)
            report_hours(1)

        run_sender(world, make(), on_tick=on_tick, on_sends=counts.record_sends)
        return counts

    return Contender(name, play)


def run_name(world: World, seed: int) -> str:
    """Return what every event id of a run begins with, so that each seed has its own draws."""
    return f"{world.scenario.name}-{seed}"


def shop_contender(name: str, make: Callable[[World, int], Shop], rulebook: Rulebook) -> Contender:
    """Return a `Shop` as a contender: a shop decides on triggers, within the guardrails."""

    def play(world: World, seed: int, report_hours: ReportHours) -> Counts:
        simulation = Simulation(make(world, seed), world, rulebook, run_name(world, seed))
        simulation.run(report_hours)
        return simulation.counts

    return Contender(name, play)


def policy_contender(name: str, make: Callable[[World], PolicySource], rulebook: Rulebook) -> Contender:
    """Return a policy source as a contender, in a shop of this process."""
    return shop_contender(name, lambda world, seed: LocalShop(make(world), rulebook, str(seed).encode()), rulebook)


def no_send_contender() -> Contender:
    """Return the contender that sends nothing."""
    return sender_contender(NO_SEND, NoSends)


def broadcasts() -> list[Contender]:
    """Return the broadcasts that stand among the baselines."""
    mails = [sender_contender(name_emails(count), partial(emails, count)) for count in SENDS_A_WEEK]
    return [sender_contender("push daily", push_daily), sender_contender("3 per week", three_a_week), *mails]


def name_emails(a_week: int) -> str:
    """Return the name of the broadcast of so many e-mails a week.

    >>> name_emails(1), name_emails(2)
    ('1 e-mail', '2 e-mails')
    """
    return "1 e-mail" if a_week == 1 else f"{a_week} e-mails"
