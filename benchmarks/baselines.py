"""The scores of the baselines in every scenario: ``decision-service simulate`` for one scenario after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.page import with_interval
from decision_service.cli import simulate
from decision_service.cli.measurements import Measured
from decision_service.cli.simulation.comparisons import RULE

FIRST = RULE
"""The contender that the others are compared with; every baseline runs beside it."""

_COLUMNS = {
    "value": "value",
    "value_minus_rule": "minus rule",
    "sends_per_week": "sends per week",
    "optouts_per_1k_sends": "opt-outs per 1,000",
    "reach_left": "consent left",
}
"""Result → heading of its column; the first two have intervals."""


def measure(
    scenarios: Sequence[str], shoppers: int, weeks: int | None, seeds: int, report: Callable[[str], None]
) -> list[Measured]:
    """Run the baselines in scenarios; the names are ``baselines.<scenario>.<contender>.<number>``."""
    results = []
    with TemporaryDirectory() as directory:
        file = Path(directory) / "results.json"
        for scenario in scenarios:
            report(scenario)
            results += [
                Measured(f"baselines.{scenario}.{one.name.removeprefix('simulate.')}", *_rest(one))
                for one in _simulate(scenario, shoppers, weeks, seeds, file)
            ]
    return results


def _rest(one: Measured) -> tuple[float, float | None, float | None, str]:
    return one.value, one.low, one.high, one.unit


def _simulate(scenario: str, shoppers: int, weeks: int | None, seeds: int, file: Path) -> list[Measured]:
    options = simulate.SimulateOptions(
        scenario=scenario,
        shoppers=shoppers,
        weeks=weeks,
        seed=1,
        seeds=seeds,
        policy=FIRST,
        url=None,
        catalog=None,
        baselines=True,
        json=file,
        report=None,
    )
    if simulate.run(options):
        raise RuntimeError(f"the simulation of {scenario} was refused: see above")
    return [Measured(**one) for one in json.loads(file.read_text(encoding="utf-8"))["results"]]


def to_table(results: Sequence[Measured]) -> str:
    """Return the scores as a Markdown table, a row for each contender in each scenario.

    >>> value = Measured("baselines.drift.push_daily.value", 0.5, 0.25, 0.75)
    >>> print(to_table([value, Measured("baselines.drift.push_daily.reach_left", 0.9)]).splitlines()[2])
    | `drift` | push daily | 0.5 (0.25 to 0.75) |  |  |  | 0.9 |
    """
    by_row: dict[tuple[str, str], dict[str, Measured]] = {}
    for one in results:
        _, scenario, contender, name = one.name.split(".")
        by_row.setdefault((scenario, contender), {})[name] = one
    lines = [f"| scenario | contender | {' | '.join(_COLUMNS.values())} |", f"|---|---|{'--:|' * len(_COLUMNS)}"]
    for (scenario, contender), of_row in by_row.items():
        cells = [with_interval(of_row[name]) if name in of_row else "" for name in _COLUMNS]
        lines.append(f"| `{scenario}` | {contender.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
