"""The commands about the family of worlds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.publishing import Json, Page, parse_span, publish, say


def measure_worlds(
    worlds: Annotated[str, typer.Option(help="From:to, half open.")] = "0:60",
    shoppers: Annotated[int, typer.Option(min=10, help="Of each run.")] = 500,
    seeds: Annotated[str, typer.Option(help="From:to, half open.")] = "1:4",
    keep: Annotated[
        Path,
        typer.Option(help="Keep the runs here, and read those that are there. Delete them when code changes."),
    ] = Path("build/worlds"),
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure how wide the family of worlds is: policies, channels, e-mails a week, and credited orders.

    Worlds 0 to 19 are for looking and searching, 20 to 59 only for reported tables, 60 and up for tests. The planner
    needs a stored plan of each world: `python -m benchmarks plan --worlds 0:60`. The runs are the same as those of the
    verb `planner`.
    """
    from benchmarks.worlds import measuring, width
    from simulators.family.draw import draw_world
    from simulators.scenarios.scenario import find_scenario

    size = measuring.Size(shoppers, parse_span(seeds))
    chosen = [find_scenario("stationary"), *map(draw_world, parse_span(worlds, "--worlds"))]
    stationary, *figures = (measuring.read_or_measure(scenario, size, keep, say) for scenario in chosen)
    publish(
        "How wide the family of worlds is",
        f"python -m benchmarks worlds --worlds {worlds} --shoppers {shoppers} --seeds {seeds}",
        width.to_measurements(figures, stationary),
        json,
        page,
        table=width.to_table([stationary, *figures]),
        seed=seeds,
        worlds=worlds,
        shoppers=shoppers,
    )


def print_ranges(page: Page = None) -> None:
    """Print the table of ranges from which the worlds are drawn."""
    from benchmarks.worlds.ranges_page import to_page

    text = to_page()
    typer.echo(text)
    if page is not None:
        page.write_text(text, encoding="utf-8")
