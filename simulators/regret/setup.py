"""The setup of a run: the world, its shoppers and its seed. Contenders are run in it, and their figures returned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.contender import run_name
from simulators.experiments.result import last_third
from simulators.experiments.simulation import Simulation
from simulators.experiments.weekly_values import WeeklyValues, reach_of
from simulators.plans.plan import Plan
from simulators.plans.planner_contender import make_planner
from simulators.regret.finished_run import FinishedRun
from simulators.regret.meter import Clock, MeteredShop
from simulators.regret.send_table import SendTable
from simulators.regret.uniform_probe import UniformProbe
from simulators.scenario import Scenario
from simulators.senders.sender import NoSends, run_sender
from simulators.shops.local import LocalShop, PolicySource
from simulators.world.messages import Messages
from simulators.world.world import World


@dataclass(frozen=True)
class Setup:
    """A world with a seed and so many shoppers, in which a contender runs.

    The events, draws and values are those of the same contender in a `Study`.

    Attributes
    ----------
    plan
        What consents are worth here, and the planner's prices.
    clock
        Measures the time of a run.
    """

    scenario: Scenario
    shoppers: int
    seed: int
    rulebook: Rulebook
    plan: Plan
    clock: Clock

    def run_without_sends(self) -> FinishedRun:
        """Return the run in which nothing is sent."""
        begin, world = self.clock(), self._open_world()
        values = WeeklyValues(world, self.plan.worth, lambda _: None)
        run_sender(world, NoSends(), on_tick=values.pass_tick)
        nothing = [0] * self.scenario.weeks
        return FinishedRun(
            shoppers=self.shoppers,
            cpu_s=self.clock() - begin,
            values=values.by_shopper().mean(axis=1).tolist(),
            realised=self._realised_margins(world),
            sends=nothing,
            withdrawals=[0.0] * self.scenario.weeks,
            withdrawals_realised=nothing,
            reach=reach_of(world),
        )

    def run_planner(self) -> FinishedRun:
        """Return the run of the planner."""
        begin, world = self.clock(), self._open_world()
        planner = make_planner(world, self.rulebook, self.plan, self.seed)
        return self._run(begin, world, planner, planner.campaign)

    def run_policy(self, make: Callable[[], PolicySource]) -> FinishedRun:
        """Return the run of the policy source that ``make`` returns."""
        begin, world = self.clock(), self._open_world()
        probe = UniformProbe(world, self.rulebook, self.seed, 168 * last_third(self.scenario.weeks))
        shop = MeteredShop(make(), self.rulebook, str(self.seed).encode(), self.clock, probe)
        run = self._run(begin, world, shop, dict)
        return replace(run, uniform_slopes=probe.slopes(), decide_us=shop.decide_us, learn_us=shop.learn_us)

    def _open_world(self) -> World:
        return World(self.scenario, self.shoppers, self.seed, Messages.of(self.rulebook))

    def _run(
        self, begin: float, world: World, shop: LocalShop, campaign: Callable[[], Mapping[int, str]]
    ) -> FinishedRun:
        weeks = self.scenario.weeks
        values = WeeklyValues(world, self.plan.worth, lambda _: None)
        simulation = Simulation(shop, world, self.rulebook, run_name(world, self.seed), campaign)
        records = simulation.run(values.pass_hours)
        sends = SendTable.of(records, shop.decision_rows, self.scenario, world.messages.channels)
        seen, first = sends.seen_weeks >= 0, last_third(weeks)
        true, came = sends.withdrawals.expected[seen], sends.withdrawals.realised & seen
        return FinishedRun(
            shoppers=self.shoppers,
            cpu_s=self.clock() - begin,
            values=values.by_shopper().mean(axis=1).tolist(),
            realised=self._realised_margins(world),
            sends=np.bincount(sends.weeks, minlength=weeks).tolist(),
            withdrawals=np.bincount(sends.seen_weeks[seen], weights=true, minlength=weeks).tolist(),
            withdrawals_realised=np.bincount(sends.seen_weeks[came], minlength=weeks).tolist(),
            reach=reach_of(world),
            cells=[*sends.cells(first)],
            slopes=sends.slopes(first),
        )

    def _realised_margins(self, world: World) -> list[float]:
        realised: list[float] = (world.margins.weekly_realised / self.shoppers).tolist()
        return realised
