"""Worlds: scenarios whose numbers and rules are drawn from the table of ranges.

We do not know how strong taste, hour, fatigue, intent and price matter in a real shop, how well a shop knows its
shoppers, or how true its reports are. A method that is good in one simulated world may be good by chance; it is to be
good in most worlds of the family. A world has a number:

- 0 to 19 are for looking and for searching: choose methods and settings on them;
- 20 to 59 are only for tables that are reported: whoever chooses by them can no longer report them;
- 60 and up are for tests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, cast

from simulators.family.ranges import Drawn
from simulators.family.table import RANGES
from simulators.scenarios.parameters import PARAMETERS
from simulators.scenarios.report_rules import ReportRules
from simulators.scenarios.scenario import Scenario

SEARCHED, REPORTED = range(20), range(20, 60)
"""The worlds for looking and searching, and those for reported tables."""

FIRST_TESTED = 60
"""The first world for tests."""


def draw_world(number: int) -> Scenario:
    """Return a world of the family: a scenario with its own parameters and rules of reports.

    Raises
    ------
    ValueError
        When the number is negative.

    Examples
    --------
    >>> world = draw_world(60)
    >>> world.name, world.weeks, world == draw_world(60)
    ('world-60', 12, True)
    >>> world.parameters.margin == draw_world(61).parameters.margin
    False
    """
    if number < 0:
        raise ValueError(f"world must be at least 0, not {number}")
    drawn: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in RANGES:
        part, _, name = row.name.partition(".")
        if name:
            drawn[part][name] = row.draw(number)
        else:
            drawn[""][part] = row.draw(number)
    return Scenario(
        f"world-{number}",
        **drawn[""],
        parameters=PARAMETERS.with_values(drawn["parameters"]),
        reports=ReportRules(**drawn["reports"]),
        about=f"World {number} of the family: its numbers are drawn from the table of ranges.",
    )


def worlds(numbers: Iterable[int]) -> Iterator[Scenario]:
    """Yield worlds of the family.

    >>> [world.name for world in worlds(range(60, 62))]
    ['world-60', 'world-61']
    """
    return map(draw_world, numbers)


def drawn_value(scenario: Scenario, name: str) -> Drawn:
    """Return what a scenario has in the place of a row of the table.

    >>> drawn_value(draw_world(60), "parameters.email.consent") == draw_world(60).parameters.email.consent
    True
    """
    part: Any = scenario
    for field in name.split("."):
        part = getattr(part, field)
    return cast(Drawn, part)
