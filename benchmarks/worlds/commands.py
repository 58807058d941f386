"""The commands about the family of worlds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.publishing import Json, Page, Seed, publish, say

app = typer.Typer()


@app.command("worlds")
def measure_worlds(
    worlds: Annotated[str, typer.Option(help="From:to, half open.")] = "0:60",
    shoppers: Annotated[int, typer.Option(min=2, help="Of the policies, in each world.")] = 1_000,
    broadcast_shoppers: Annotated[int, typer.Option(min=2, help="Of the broadcasts.")] = 3_000,
    weeks: Annotated[int, typer.Option(min=1, max=104)] = 12,
    seed: Seed = 1,
    keep: Annotated[
        Path,
        typer.Option(help="Keep the figures of each world here, and continue. Delete them when code changes."),
    ] = Path("build/worlds"),
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure how wide the family of worlds is: policies, channels, e-mails a week, and credited orders.

    Worlds 0 to 19 are for looking and searching, 20 to 59 only for reported tables, 60 and up for tests.
    """
    from benchmarks.worlds import measuring, width
    from simulators.family.draw import draw_world
    from simulators.scenario import SCENARIOS

    plan, archive = measuring.Plan(weeks, shoppers, broadcast_shoppers, seed), measuring.Archive(keep)
    first, _, end = worlds.partition(":")
    figures = []
    for number in range(int(first), int(end)):
        figures.append(archive.read_or_measure(draw_world(number), plan))
        say(width.to_table(figures[-1:]).splitlines()[-1])
    stationary = archive.read_or_measure(SCENARIOS["stationary"], plan)
    command = (
        f"python -m benchmarks worlds --worlds {worlds} --shoppers {shoppers} "
        f"--broadcast-shoppers {broadcast_shoppers} --weeks {weeks} --seed {seed}"
    )
    publish(
        "How wide the family of worlds is",
        command,
        width.to_measurements(figures, stationary),
        json,
        page,
        table=width.to_table([stationary, *figures]),
        seed=seed,
        worlds=worlds,
        shoppers=shoppers,
    )


@app.command("ranges")
def print_ranges(page: Page = None) -> None:
    """Print the table of ranges from which the worlds are drawn."""
    from benchmarks.worlds.ranges_page import to_page

    text = to_page()
    typer.echo(text)
    if page is not None:
        page.write_text(text, encoding="utf-8")
