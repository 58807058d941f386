"""The policies `bayes` in a small simulated world: they send, learn, and know about how often sends are clicked."""

from __future__ import annotations

import pytest

from policies.catalogue.rulebook import Rulebook
from policies.learning.fold import Learning
from policies.models.registry import POLICIES
from policies.records.rows import DecisionRow, OutcomeRow, Row
from simulators.experiments.simulation import Simulation
from simulators.scenarios.scenario import find_scenario
from simulators.shops.learning import LearningPolicy
from simulators.shops.local import LocalShop
from simulators.world.messages import Messages
from simulators.world.world import World

SHOPPERS, HOURS = 250, 24 * 14


class Keeper(LearningPolicy):
    """A policy source that keeps its rows."""

    def __init__(self, rulebook: Rulebook, name: str) -> None:
        self.rows: list[Row] = []
        super().__init__(rulebook, POLICIES[name])

    def fold(self, row: Row) -> None:
        self.rows.append(row)
        super().fold(row)

    @property
    def learning(self) -> Learning:
        return self._learning


@pytest.mark.parametrize("policy", ["bayes", "bayes-greedy"])
def test_a_simulated_shop_is_served_and_learned_from(policy: str, example_rulebook: Rulebook) -> None:
    """The bounds are wide: they fail when nothing is learned, or when a prediction is in another unit."""
    source = Keeper(example_rulebook, policy)
    world = World(find_scenario("stationary"), SHOPPERS, 4, Messages.of(example_rulebook))
    simulation = Simulation(LocalShop(source, example_rulebook, b"seed"), world, example_rulebook, "run")
    for _ in range(HOURS):
        simulation.step()
    sends = [row for row in source.rows if isinstance(row, DecisionRow) and row.is_delivered]
    clicked = {row.event_id for row in source.rows if isinstance(row, OutcomeRow) and row.type == "click"}
    assert sends[-1].policy.version > 10
    assert len(sends) > source.learned_count > 200
    predicted = sum(row.p_click or 0.0 for row in sends)
    assert 0.5 < len(clicked) / predicted < 2.0
    assert all(row.p_out is not None and 0.0 < row.p_out < 0.5 for row in sends)
    learning = source.learning
    parts = POLICIES[policy].learning
    assert parts is not None
    again = Learning.from_bytes(learning.to_bytes(), lambda event_ids: {}, parts.make_learner)
    assert again.publish() == learning.publish()
    learning.learner.prove(learning.publish(), example_rulebook.space, list(learning.inputs))
