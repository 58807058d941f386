"""The planner as a contender of a study."""

from __future__ import annotations

from collections.abc import Callable

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.contender import Contender, ReportHours
from simulators.experiments.counts import Counts
from simulators.experiments.simulation import Simulation
from simulators.plans.plan import Plan
from simulators.shops.planner import PLANNER, Planner
from simulators.world.world import World


def planner_contender(make: Callable[[], Plan], rulebook: Rulebook) -> Contender:
    """Return the planner as a contender, with the plan that ``make`` returns when it is to play."""

    def play(world: World, seed: int, report_hours: ReportHours) -> Counts:
        plan = make()
        planner = Planner(world, rulebook, plan.worth, [plan.prices], str(seed).encode())
        simulation = Simulation(planner, world, rulebook, f"{world.scenario.name}-{seed}", planner.campaign)
        simulation.run(report_hours)
        return simulation.counts

    return Contender(PLANNER, play)
