"""Scenarios: impossible values are refused by the name of their field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from simulators.scenarios.scenario import SCENARIOS, Outage, Promo, Scenario, find_scenario


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: find_scenario("sunny"), "scenario must be one of stationary"),
        (lambda: Scenario("x", weeks=0), "weeks must lie between 1 and 104"),
        (lambda: Scenario("x", weeks=105), "weeks must lie between 1 and 104"),
        (lambda: Scenario("x", visits_per_week=-1.0), "visits_per_week must be"),
        (lambda: Scenario("x", new_shoppers_per_week=float("nan")), "new_shoppers_per_week must be"),
        (lambda: Scenario("x", report_lag_h=-1.0), "report_lag_h must be"),
        (lambda: Scenario("x", tolerance=0.0), "tolerance must be"),
        (lambda: Scenario("x", irritability=float("inf")), "irritability must be"),
        (lambda: Scenario("x", taste_flip_week=13), "taste_flip_week must lie"),
        (lambda: Scenario("x", start=5), "start must be a midnight"),
        (lambda: Scenario("x", weeks=1, promos=(Promo(5, 4),)), r"promos\.0 must end within"),
        (lambda: Promo(-1, 1), "first_day must be"),
        (lambda: Outage("fax", 0, 1), "channel must be one of"),
        (lambda: SCENARIOS["drift"].with_weeks(3), "weeks must be at least 6 for the scenario 'drift', not 3"),
        (lambda: SCENARIOS["stationary"].with_weeks(0), "weeks must lie between 1 and 104"),
    ],
)
def test_an_impossible_scenario_is_refused_by_the_name_of_the_field(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_a_scenario_fits_into_its_least_number_of_weeks_and_no_shorter_one(name: str) -> None:
    scenario = SCENARIOS[name]
    assert scenario.with_weeks(scenario.least_weeks).weeks == scenario.least_weeks
    for weeks in range(1, scenario.least_weeks):
        with pytest.raises(ValueError, match="weeks must be at least"):
            scenario.with_weeks(weeks)
        with pytest.raises(ValueError, match=r"taste_flip_week|promos\.|outages\."):
            replace(scenario, weeks=weeks)
