"""The command about incrementality."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.publishing import Json, Page, publish, say
from policies.models.hold_share import MOST_HOLD_SHARE


def _check_worlds(worlds: str) -> str:
    if not all(number.isdecimal() for number in worlds.split(",")):
        raise typer.BadParameter(f"must be numbers with commas between, such as 12,17, not {worlds!r}")
    return worlds


def measure_incrementality(
    worlds: Annotated[
        str, typer.Option(help="Numbers of worlds of the family, with commas between.", callback=_check_worlds)
    ] = "12,17",
    shoppers: Annotated[int, typer.Option(min=100, help="Of each world.")] = 100_000,
    parts: Annotated[
        int, typer.Option(min=1, help="Shoppers are simulated in so many parts, each with a seed of its own.")
    ] = 10,
    weeks: Annotated[int, typer.Option(min=1, help="Of each world.")] = 3,
    hold_share: Annotated[float, typer.Option(min=0.0, max=MOST_HOLD_SHARE)] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the first part.")] = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Estimate which of the credited orders the sends have brought, and compare with the truth.

    The log has a hold share, and the business rule decides. The shops credit orders by rules of their own: in some
    worlds most credited orders would have come anyway.
    """
    from benchmarks.incrementality import table
    from benchmarks.incrementality.measuring import Size, measure
    from simulators.family.draw import draw_world

    size = Size(shoppers, parts, hold_share, seed)
    logs = [measure(draw_world(int(number)).with_weeks(weeks), size, say) for number in worlds.split(",")]
    publish(
        "How many of the credited orders the sends have brought",
        f"python -m benchmarks incrementality --worlds {worlds} --shoppers {shoppers} --parts {parts} "
        f"--weeks {weeks} --hold-share {hold_share} --seed {seed}",
        table.to_measurements(logs),
        json,
        page,
        table=table.NOTE,
        seed=seed,
        worlds=worlds,
        shoppers=shoppers,
        parts=parts,
        weeks=weeks,
        hold_share=hold_share,
    )
