"""Scenarios as documents: what a document says holds, everything else is as in the base, and mistakes are named."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.scenarios.scenario import SCENARIOS, Scenario
from simulators.scenarios.scenario_document import ScenarioMistake, scenario_of_document


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_the_document_of_a_scenario_gives_the_scenario_back(scenario: Scenario) -> None:
    document = asdict(scenario) | {"promos": [asdict(promo) for promo in scenario.promos]}
    assert scenario_of_document(document, "another") == scenario


@given(st.sampled_from(sorted(SCENARIOS)), st.floats(0.1, 10.0))
def test_what_a_document_does_not_say_is_as_in_the_base(base: str, tolerance: float) -> None:
    scenario = scenario_of_document({"base": base, "tolerance": tolerance}, "mine")
    wanted = asdict(SCENARIOS[base]) | {"name": "mine", "version": 1, "about": "", "tolerance": tolerance}
    assert asdict(scenario) == wanted


values = st.none() | st.booleans() | st.integers(-2, 200) | st.floats() | st.text(max_size=3)
documents = st.recursive(
    values,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(("days", "channel", "x")), inner),
)


@given(st.dictionaries(st.sampled_from(("base", "name", *asdict(SCENARIOS["drift"]))), documents) | documents)
def test_any_document_is_a_scenario_or_a_mistake(document: object) -> None:
    with suppress(ScenarioMistake):
        assert isinstance(scenario_of_document(document, "mine"), Scenario)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ([], "must be a mapping"),
        ({"base": "sunny"}, "base: there is no scenario 'sunny'"),
        ({"tolerence": 1.0}, "tolerence: is not a field; did you mean 'tolerance'?"),
        ({"weeks": "4"}, "weeks: should be a valid integer"),
        ({"weeks": 0}, "weeks must lie between 1 and 104"),
        ({"promos": [{"first_day": 3}]}, "promos.0.days: is missing"),
        ({"promos": [{"first_day": 3, "days": 4, "visits": 2}]}, "promos.0.visits: is not a field"),
        ({"promos": {"first_day": 3}}, "promos: must be a list"),
        ({"promos": [7]}, "promos.0: must be a mapping of the fields first_day, days"),
        ({"outages": [{"channel": "fax", "first_day": 1, "days": 1}]}, "outages.0: channel must be one of"),
    ],
)
def test_a_mistake_is_named_by_its_place(document: object, complaint: str) -> None:
    with pytest.raises(ScenarioMistake) as mistake:
        scenario_of_document(document, "mine")
    assert complaint in str(mistake.value)
