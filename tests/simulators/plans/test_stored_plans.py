"""The stored plans: one for every named scenario, with the example catalogue of today."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.catalogue.rulebook import Rulebook
from simulators.plans.stored_plans import stored_plan
from simulators.scenarios.scenario import SCENARIOS, Scenario, find_scenario


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_every_scenario_has_a_plan_of_its_version_and_of_the_example(
    scenario: Scenario, example_rulebook: Rulebook
) -> None:
    plan = stored_plan(scenario, example_rulebook)
    assert plan is not None, f"run: python -m benchmarks plan --scenarios {scenario.name}"
    assert plan.worth.keys() == set(example_rulebook.space.channels)
    assert sum(plan.worth.values()) > 0.0


def test_the_length_changes_no_plan_but_everything_else_does(example_rulebook: Rulebook) -> None:
    scenario = find_scenario("stationary")
    plan = stored_plan(scenario, example_rulebook)
    assert stored_plan(scenario.with_weeks(40), example_rulebook) == plan
    for other in (
        replace(scenario, name="mine"),
        replace(scenario, tolerance=2.0),
        replace(scenario, version=scenario.version + 1),
    ):
        assert stored_plan(other, example_rulebook) is None
