"""The commands that break the running service, and audit what holds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.publishing import Json, Page, publish, say


def chaos(
    decides: Annotated[int, typer.Option(min=1)] = 100_000,
    shoppers: Annotated[int, typer.Option(min=1)] = 500,
    at_once: Annotated[int, typer.Option(min=1, help="Clients.")] = 200,
    replicas: Annotated[int, typer.Option(min=1)] = 2,
    renames: Annotated[int, typer.Option(min=0, help="How often a channel, a category, a message are renamed.")] = 20,
    kills: Annotated[int, typer.Option(min=0, help="How often Redis is killed, afterwards.")] = 3,
    policy: Annotated[str, typer.Option(help="As `decision-service serve`; uniform tries every rule.")] = "uniform",
    seed: Annotated[int, typer.Option(min=0)] = 1,
    data_dir: Annotated[Path | None, typer.Option(help="Keep the data here.")] = None,
    json: Json = None,
    page: Page = None,
) -> None:
    """Stress the service with many clients on few shoppers, kill Redis under load, and audit the log."""
    from benchmarks.faults import chaos as benchmark

    plan = benchmark.Plan(decides, shoppers, at_once, replicas, renames, kills, policy, seed)
    outcome = benchmark.measure(plan, data_dir)
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in asdict(plan).items())
    publish(
        "What many clients at once cannot break", f"python -m benchmarks chaos {options}", outcome.results, json, page
    )
    if outcome.broken:
        typer.echo(f"Broken: {outcome.broken}", err=True)
        raise typer.Exit(1)


def repeat_faults(
    names: Annotated[list[str] | None, typer.Argument(help="Names or numbers of faults; all without one.")] = None,
    json: Json = None,
    page: Page = None,
) -> None:
    """Repeat faults on the running service, and measure the outage of each."""
    from benchmarks.faults import run, table

    all_repeated = run.repeat(run.choose(run.find_faults(), names or ()), say)
    command = " ".join(["python -m benchmarks faults", *(names or ())])
    outcomes = table.to_table(all_repeated)
    typer.echo(outcomes)
    publish("What faults do to the running service", command, table.to_measurements(all_repeated), json, page)
    if page is not None:
        page.write_text(f"{page.read_text(encoding='utf-8')}\n{outcomes}", encoding="utf-8")
    if not all(repeated.outcome.held for repeated in all_repeated):
        raise typer.Exit(1)
