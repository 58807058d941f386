"""The report of a benchmark: its results as a Markdown page that can be committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from decision_service.cli.measurements import Measured


def markdown(title: str, command: str, results: Sequence[Measured], about: Mapping[str, Any]) -> str:
    """Write results as a page: what was run, on what, and a table.

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
    facts = [f"| {name} | {_shown(value)} |" for name, value in about.items()]
    rows = [f"| `{each.name}` | {_number(each.value)} | {_interval(each)} | {each.unit} |" for each in results]
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


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return str(value)


def _interval(result: Measured) -> str:
    return "" if result.low is None or result.high is None else f"{_number(result.low)} to {_number(result.high)}"


def _number(value: float) -> str:
    """Write a number with four digits that count.

    >>> _number(0.123456), _number(14812.0)
    ('0.1235', '14,812')
    """
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
