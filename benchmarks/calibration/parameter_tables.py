"""The tables of parameters in docs/simulator.md, as the code has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.page import number
from simulators.scenarios.channels import CHANNELS
from simulators.scenarios.parameters import PARAMETERS, ParameterRow, describe_parameters

PAGE = Path(__file__).parents[2] / "docs" / "simulator.md"
_BEGIN, _END = "<!-- parameters: begin -->\n", "<!-- parameters: end -->"


def to_tables(rows: Sequence[ParameterRow]) -> str:
    """Return parameters as two Markdown tables: the traits by channel, and all others.

    >>> print(to_tables(describe_parameters(PARAMETERS)).splitlines()[2])
    | `consent` | 0.56 | 0.75 | 0.25 | 0.1 | 0.9 | push Batch (2025), web push Reachbell (2026); e-mail, SMS and in-app judgement |
    """  # noqa: E501
    traits: dict[str, dict[str, ParameterRow]] = {}
    others = []
    for row in rows:
        channel, _, trait = row.name.rpartition(".")
        if channel in CHANNELS:
            traits.setdefault(trait, {})[channel] = row
        else:
            others.append(row)
    channels = [f"| trait | {' | '.join(CHANNELS)} | source |", f"|---|{'--:|' * len(CHANNELS)}---|"]
    for trait, of_channels in traits.items():
        values = " | ".join(number(of_channels[channel].value) for channel in CHANNELS)
        channels.append(f"| `{trait}` | {values} | {next(iter(of_channels.values())).source} |")
    numbers = ["| parameter | value | meaning | source |", "|---|--:|---|---|"]
    numbers += [f"| `{row.name}` | {number(row.value)} | {row.meaning} | {row.source} |" for row in others]
    return "\n".join([*channels, "", *numbers]) + "\n"


def fill(page: str) -> str:
    """Return a page with the tables between its marks."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{to_tables(describe_parameters(PARAMETERS))}{_END}{after}"


def write(*, only_check: bool) -> bool:
    """Write the tables into the page, or only compare; return whether the page had them before."""
    page = PAGE.read_text(encoding="utf-8")
    if not only_check:
        PAGE.write_text(fill(page), encoding="utf-8")
    return fill(page) == page
