"""The results of a benchmark as a Markdown page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from decision_service.cli.measurements import Measured
from simulators.experiments.mean_estimate import MeanEstimate


def markdown(title: str, command: str, results: Sequence[Measured], about: Mapping[str, Any]) -> str:
    """Return results as a page: the command, the facts of the machine, and a table.

    >>> print(markdown("Speed", "make speed", [Measured("a.b", 2.0, 1.5, 2.5, "ratio")], {"cores": 2}))
    # Speed
    <BLANKLINE>
    Made by `make speed`.
    <BLANKLINE>
    | fact | value |
    |---|---|
    | cores | 2 |
    <BLANKLINE>
    | result | value | 95 % interval | unit |
    |---|--:|---|---|
    | `a.b` | 2 | 1.5 to 2.5 | ratio |
    <BLANKLINE>
    """
    facts = [f"| {name} | {_fact(value)} |" for name, value in about.items()]
    rows = [f"| `{result.name}` | {number(result.value)} | {_interval(result)} | {result.unit} |" for result in results]
    return "\n".join(
        [
            f"# {title}",
            "",
            f"Made by `{command}`.",
            "",
            *("| fact | value |", "|---|---|"),
            *facts,
            "",
            *("| result | value | 95 % interval | unit |", "|---|--:|---|---|"),
            *rows,
            "",
        ]
    )


def _fact(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return str(value)


def _interval(result: Measured) -> str:
    return "" if result.low is None or result.high is None else f"{number(result.low)} to {number(result.high)}"


def with_interval(one: Measured | MeanEstimate) -> str:
    """Return a value with its interval, or the value alone where there is no interval.

    >>> with_interval(Measured("a", 0.5, 0.25, 0.75)), with_interval(Measured("a", 14812.0))
    ('0.5 (0.25 to 0.75)', '14,812')
    """
    bounds = "" if one.low is None or one.high is None else f" ({number(one.low)} to {number(one.high)})"
    return number(one.value) + bounds


def number(value: float) -> str:
    """Return a number with four significant digits.

    >>> number(0.123456), number(14812.0)
    ('0.1235', '14,812')
    """
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
