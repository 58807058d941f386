"""The scenario of a command: one of the named scenarios, a file in YAML, or a world of the family."""

from __future__ import annotations

from pathlib import Path

from decision_service.catalogues.yaml_text import NotYaml, YamlText
from simulators.family.draw import draw_world
from simulators.scenarios.scenario import SCENARIOS, Scenario
from simulators.scenarios.scenario_document import ScenarioMistake, scenario_of_document

_ENDINGS = (".yaml", ".yml")


def choose_scenario(name: str | None, world: int | None) -> Scenario | None:
    """Return the scenario of the options ``--scenario`` and ``--world``, of which one may be given; None for neither.

    Raises
    ------
    ValueError
        When both are given, or there is no such scenario or world; the text names the option.
    """
    if name is not None and world is not None:
        raise ValueError(f"--world {world} must not be given with --scenario {name}: a world is a scenario of its own")
    if world is not None:
        return draw_world(world)
    return None if name is None else load_scenario(name)


def load_scenario(name: str) -> Scenario:
    """Return the scenario of a name, or of a file whose name ends in ``.yaml`` or ``.yml``.

    Raises
    ------
    ValueError
        When there is no such scenario, or the file holds none; the text names line and field.
    """
    if not name.endswith(_ENDINGS):
        if name in SCENARIOS:
            return SCENARIOS[name]
        raise ValueError(f"scenario must be one of {', '.join(SCENARIOS)}, or a file (.yaml), not {name!r}")
    path = Path(name)
    try:
        text = YamlText.read(path.read_text(encoding="utf-8-sig"))
    except NotYaml as error:
        raise ValueError(f"{name}:{error.line or 1}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"scenario: {name} cannot be read: {error}") from None
    for mistake in text.mistakes:
        raise ValueError(f"{name}:{text.find_line(mistake.path)}: {mistake.path}: {mistake.message}")
    try:
        return scenario_of_document(text.document, path.stem)
    except ScenarioMistake as error:
        raise ValueError(f"{name}:{text.find_line(error.path)}: {error}") from None


def fit_weeks(scenario: Scenario, weeks: int | None) -> Scenario:
    """Return the scenario with another length; without a number, with its own.

    Raises
    ------
    ValueError
        When the scenario does not fit into so many weeks; the text names the option.
    """
    if weeks is None or weeks == scenario.weeks:
        return scenario
    try:
        return scenario.with_weeks(weeks)
    except ValueError as error:
        raise ValueError(f"--weeks {weeks} is not possible with the scenario {scenario.name}: {error}") from None
