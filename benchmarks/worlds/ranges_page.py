"""The table of ranges as a Markdown page: docs/worlds.md."""

from __future__ import annotations

from benchmarks.page import number
from simulators.family.draw import drawn_value
from simulators.family.ranges import Choice, Range
from simulators.family.table import RANGES
from simulators.scenario import SCENARIOS

_INTRODUCTION = """\
# The family of worlds

Nobody knows how strong taste, the hour, fatigue, intent and price are in a real shop, how well a shop knows its
shoppers, or how wrong its reports are. `draw_world(17)` ([simulators/family](../simulators/family/draw.py)) and the
option `--world 17` of `decision-service simulate` and `replay` draw a scenario, `world-17`, from the ranges below.
Worlds 0 to 19 are for looking and searching, 20 to 59 only for reported tables, 60 and up for tests.

A row is the place of a number in a [scenario](../simulators/scenario.py): `parameters.` are those of
[parameters.py](../simulators/parameters.py), `reports.` those of [report_rules.py](../simulators/report_rules.py). What
has no row is as in the base world. *Log-uniform*: the logarithm is uniform. *One of*: each with the same probability.
Why ranges changed after the first worlds were looked at stands in [record 24](decisions/0024-a-family-of-worlds.md).

`python -m benchmarks ranges --markdown docs/worlds.md` prints this page.

| parameter | low | high | distribution | base world | source |
|---|--:|--:|---|--:|---|
"""


def to_page() -> str:
    """Return the page."""
    return _INTRODUCTION + "\n".join(map(_row, RANGES)) + "\n"


def _row(row: Range | Choice) -> str:
    base = drawn_value(SCENARIOS["stationary"], row.name)
    if isinstance(row, Range):
        drawn = f"{number(row.low)} | {number(row.high)} | {row.distribution}"
    else:
        drawn = f"| | one of {', '.join(map(_word, row.options))}"
    return f"| `{row.name}` | {drawn} | {_word(base)} | {row.source} |"


def _word(value: float | str | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else number(value)
