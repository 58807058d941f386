"""The planner as a contender of a study."""

from __future__ import annotations

from collections.abc import Callable

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.contender import Contender, ReportHours, run_name
from simulators.experiments.counts import Counts
from simulators.experiments.simulation import Simulation
from simulators.plans.plan import Plan
from simulators.shops.planner import PLANNER, Planner
from simulators.world.world import World


def make_planner(world: World, rulebook: Rulebook, plan: Plan, seed: int) -> Planner:
    """Return the planner of a run with a seed."""
    return Planner(world, rulebook, plan.worth, [plan.prices], str(seed).encode())


def planner_contender(make: Callable[[], Plan], rulebook: Rulebook) -> Contender:
    """Return the planner as a contender, with the plan that ``make`` returns when it is to play."""

    def play(world: World, seed: int, report_hours: ReportHours) -> Counts:
        planner = make_planner(world, rulebook, make(), seed)
        simulation = Simulation(planner, world, rulebook, run_name(world, seed), planner.campaign)
        simulation.run(report_hours)
        return simulation.counts

    return Contender(PLANNER, play)
