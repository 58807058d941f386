"""The scenario of a command: a name, or a file whose mistakes are named by their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from decision_service.cli.scenario_file import choose_scenario, fit_weeks, load_scenario
from simulators.family.draw import draw_world
from simulators.scenarios.scenario import SCENARIOS


def test_a_file_says_what_differs(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("base: fatigue\nweeks: 6\npromos:\n  - first_day: 7\n    days: 2\n")
    scenario = load_scenario(str(file))
    assert (scenario.name, scenario.weeks, scenario.tolerance) == ("mine", 6, SCENARIOS["fatigue"].tolerance)
    assert scenario.promos[0].first_day == 7
    assert load_scenario("drift") is SCENARIOS["drift"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("weeks: 6\npromos:\n  - first_day: 7\n    dais: 2\n", "mine.yaml:4: promos.0.dais: is not a field"),
        ("weeks: 6\nweeks: 7\n", "mine.yaml:1: weeks: stands twice"),
        ("weeks: [\n", "is not YAML"),
        ("", "must be a mapping"),
    ],
)
def test_a_mistake_in_a_file_is_named_by_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"mine\.yaml") as error:
        load_scenario(str(tmp_path / "mine.yaml"))
    assert complaint in str(error.value)


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"scenario: no\.yaml cannot be read"):
        load_scenario("no.yaml")


@pytest.mark.parametrize("name", SCENARIOS)
def test_four_weeks_are_possible_or_the_message_names_the_option(name: str) -> None:
    fits = name not in ("drift", "seasonal_promo", "channel_outage")  # whose changes come later
    if fits:
        assert fit_weeks(SCENARIOS[name], 4).weeks == 4
    else:
        with pytest.raises(ValueError, match=f"--weeks 4 is not possible with the scenario {name}: "):
            fit_weeks(SCENARIOS[name], 4)
    assert fit_weeks(SCENARIOS[name], None) is SCENARIOS[name]


def test_a_command_has_a_scenario_or_a_world_and_not_both() -> None:
    assert choose_scenario(None, None) is None
    assert choose_scenario("drift", None) is SCENARIOS["drift"]
    assert choose_scenario(None, 61) == draw_world(61)
    with pytest.raises(ValueError, match="--world 61 must not be given with --scenario drift"):
        choose_scenario("drift", 61)
    with pytest.raises(ValueError, match="world must be at least 0, not -1"):
        choose_scenario(None, -1)
