"""The probe: predictions that are the truth have the slope 1, others the slope by which they differ."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Assessment, AssessmentTable, Policy
from policies.records.rows import Row
from simulators.experiments.simulation import Simulation
from simulators.regret.meter import MeteredShop
from simulators.regret.uniform_probe import UniformProbe
from simulators.scenario import find_scenario
from simulators.shops.base import Arrival
from simulators.shops.foresight import Foresight
from simulators.truth.truth import Truth
from simulators.world.messages import Messages
from simulators.world.world import World

HOURS, FIRST_HOUR = 72, 24


class Seer:
    """A policy source that predicts the true opt-outs, with another spread of their logits."""

    def __init__(self, world: World, rulebook: Rulebook, spread: float) -> None:
        self._foresight = Foresight(Truth(world, rulebook), rulebook)
        self._spread = spread

    def policy_for(self, arrivals: Sequence[Arrival]) -> Policy:
        out = self._foresight.prospects(arrivals).out
        true = np.clip(out, 1e-12, 1.0)
        predicted = 1.0 / (1.0 + np.exp(-self._spread * np.log(true / (1.0 - true))))
        rows = {arrival.event_id: row for row, arrival in enumerate(arrivals)}
        return Policy("seer", AssessmentTable(rows, Assessment(-out, predicted)))

    def fold(self, row: Row) -> None:
        """Learn nothing."""

    def advance_clock(self, now: float) -> None:
        """Change nothing."""


@pytest.mark.parametrize("spread", [1.0, 2.0])
def test_the_slope_is_that_of_the_predictions(example_rulebook: Rulebook, spread: float) -> None:
    world = World(find_scenario("stationary").with_weeks(1), 300, 3, Messages.of(example_rulebook))
    probe = UniformProbe(world, example_rulebook, 3, FIRST_HOUR)
    source = Seer(world, example_rulebook, spread)
    shop = MeteredShop(source, example_rulebook, b"3", time.process_time, probe)
    simulation = Simulation(shop, world, example_rulebook, "probe")
    for hour in range(HOURS):
        simulation.step()
        assert hour >= FIRST_HOUR - 1 or probe.slopes() == {}
    assert probe.slopes() == {"out": pytest.approx(1.0 / spread, rel=1e-6)}
