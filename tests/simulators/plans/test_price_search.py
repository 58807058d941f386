"""The search of the planner's prices: a small one makes a plan that can be stored."""

from __future__ import annotations

from policies.catalogue.rulebook import Rulebook
from simulators.plans.plan import Plan
from simulators.plans.price_search import make_plan
from simulators.scenario import Scenario

BUSY = Scenario("busy", weeks=1, visits_per_week=8.0)
SHOPPERS = 12


def test_a_plan_can_be_stored(example_rulebook: Rulebook) -> None:
    plan = make_plan(BUSY, example_rulebook, shoppers=4, rounds=1)
    assert plan.worth.keys() == set(example_rulebook.space.channels)
    assert min(plan.worth.values()) >= 0.0
    assert Plan.of_document(plan.to_document()) == plan
