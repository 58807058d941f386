"""The family of worlds: every draw is inside its range, and depends on the world and its own row alone."""

from __future__ import annotations

import pickle
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.family.draw import FIRST_TESTED, REPORTED, SEARCHED, draw_world, drawn_value, worlds
from simulators.family.ranges import Choice, Range
from simulators.family.table import RANGES
from simulators.scenarios.parameters import PARAMETERS, describe_parameters
from simulators.scenarios.scenario import SCENARIOS
from simulators.world.world import World

NUMBERS = st.integers(FIRST_TESTED, 2**40)
ROWS = [row for row in RANGES if isinstance(row, Range)]
CHOICES = [row for row in RANGES if isinstance(row, Choice)]
MARGINS = [0.447571, 0.226171]
"""Of the worlds 60 and 61."""


@given(NUMBERS)
def test_every_draw_lies_in_its_range(number: int) -> None:
    world = draw_world(number)
    assert world.name == f"world-{number}"
    for row in ROWS:
        assert row.low <= float(drawn_value(world, row.name)) <= row.high, row.name
    for choice in CHOICES:
        assert drawn_value(world, choice.name) in choice.options
    assert pickle.loads(pickle.dumps(world)) == world == draw_world(number)


def test_what_has_no_row_is_as_in_the_base_world() -> None:
    world, drawn = draw_world(FIRST_TESTED), {row.name for row in RANGES}
    assert len(drawn) == len(RANGES)
    base = {row.name: row.value for row in describe_parameters(PARAMETERS)}
    for row in describe_parameters(world.parameters):
        assert (row.value != base[row.name]) == (f"parameters.{row.name}" in drawn), row.name
    assert (world.promos, world.outages) == ((), ())


@pytest.mark.parametrize("row", [row for row in ROWS if not row.name.startswith("reports.")], ids=lambda row: row.name)
def test_the_base_world_lies_in_every_range_of_a_parameter(row: Range) -> None:
    """Rows of reports have no place here: the reports of the base world are true."""
    assert row.low <= float(drawn_value(SCENARIOS["stationary"], row.name)) <= row.high


def test_draws_fill_their_ranges_evenly() -> None:
    several = list(worlds(range(FIRST_TESTED, FIRST_TESTED + 200)))
    for row in ROWS:
        drawn = [float(drawn_value(world, row.name)) for world in several]
        middle = (row.low * row.high) ** 0.5 if row.distribution == "log-uniform" else (row.low + row.high) / 2
        below = sum(value < middle for value in drawn)
        assert 70 <= below <= 130, f"{row.name}: {below} of 200 below {middle}, median {median(drawn)}"
    for choice in CHOICES:
        assert {drawn_value(world, choice.name) for world in several} == set(choice.options)


def test_a_row_is_drawn_by_its_name_alone() -> None:
    """These numbers may never change: published tables rest on them. Another row changes no other row."""
    margin = next(row for row in ROWS if row.name == "parameters.margin")
    assert [margin.draw(number) for number in (60, 61)] == MARGINS
    assert draw_world(60).parameters.margin == MARGINS[0]


def test_a_world_runs_with_its_own_numbers() -> None:
    scenario = draw_world(62)
    world = World(scenario, 5, 1)
    for _ in range(24):
        world.step()
    assert world.messages.channels.traits[0] == scenario.parameters.push != PARAMETERS.push


def test_the_worlds_for_searching_reporting_and_tests_are_apart() -> None:
    assert [*SEARCHED, *REPORTED] == list(range(FIRST_TESTED))
    with pytest.raises(ValueError, match="world must be at least 0, not -1"):
        draw_world(-1)


@pytest.mark.parametrize(("low", "high", "distribution"), [(1.0, 1.0, "uniform"), (0.0, 1.0, "log-uniform")])
def test_bounds_that_cannot_be_are_refused(low: float, high: float, distribution: str) -> None:
    with pytest.raises(ValueError, match="margin must have bounds in order"):
        Range("margin", low, high, distribution)  # type: ignore[arg-type]
