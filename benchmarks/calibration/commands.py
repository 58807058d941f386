"""The commands about the world's parameters."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.publishing import Json, Page, publish


def parameters(
    check: Annotated[bool, typer.Option("--check", help="Only compare; fail if they differ.")] = False,
) -> None:
    """Write the tables of parameters into docs/simulator.md."""
    from benchmarks.calibration import parameter_tables

    if not parameter_tables.write(only_check=check) and check:
        typer.echo("docs/simulator.md has other parameters: run python -m benchmarks parameters", err=True)
        raise typer.Exit(1)


def calibrate(
    shoppers: Annotated[int, typer.Option(min=1_000)] = 30_000,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Fit the world's channels to published rates, and compare other published figures with the world."""
    from benchmarks.calibration import fitting, realism

    results = fitting.to_measurements(fitting.calibrate(shoppers, seed))
    figures, sweep = realism.measure_all(shoppers, seed), realism.measure_sweep(1_000)
    command = f"python -m benchmarks calibrate --shoppers {shoppers} --seed {seed}"
    table, more = realism.to_table(figures, sweep), [*realism.to_measurements(figures), *sweep]
    about = {"seed": seed, "shoppers": shoppers}
    publish("How the world was calibrated", command, results, json, page, table=table, more=more, **about)
