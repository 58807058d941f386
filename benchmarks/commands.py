"""The commands that belong to no room: the baselines of `simulate`, and figures of all results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.publishing import Json, Page, publish, say


def baselines(
    scenarios: Annotated[list[str] | None, typer.Argument(help="Names of scenarios; all without one.")] = None,
    shoppers: Annotated[int, typer.Option(min=1)] = 1_000,
    weeks: Annotated[int | None, typer.Option(min=1, show_default="the scenario's own, 12")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each scenario, with seeds 1 and up.")] = 3,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure what the baselines earn in every scenario."""
    from benchmarks import baselines as benchmark
    from simulators.scenario import SCENARIOS

    chosen = scenarios or list(SCENARIOS)
    results = benchmark.measure(chosen, shoppers, weeks, seeds, say)
    options = f"--shoppers {shoppers} --seeds {seeds}" + (f" --weeks {weeks}" if weeks else "")
    command = " ".join(["python -m benchmarks baselines", *(scenarios or ()), options])
    differences = [one for one in results if one.name.endswith(".value_minus_rule")]
    more = [one for one in results if one not in differences]
    about = {"seed": f"1:{seeds + 1}", "shoppers": shoppers}
    table = benchmark.to_table(results)
    publish("What the baselines earn", command, differences, json, page, table=table, more=more, **about)


def figures(
    directory: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The results.")] = Path(
        "docs/results"
    ),
    pages: Annotated[list[Path] | None, typer.Option("--fill", help="A page whose figures are written.")] = None,
) -> None:
    """Write the figures of the results into the pages that cite them, and into the README of the results."""
    from benchmarks import figures as benchmark

    benchmark.write(directory, pages or [Path("docs/performance.md")])
