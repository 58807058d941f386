"""The command line of the benchmarks: ``python -m benchmarks``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.report import markdown
from decision_service.measurement import Measured, facts, write

app = typer.Typer(
    help="Measures the service; every command writes its results with the facts of the machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[Path | None, typer.Option("--json", help="Also write the results to this file.")]
Page = Annotated[Path | None, typer.Option("--markdown", help="Also write them as a page.")]


@app.callback()
def _commands() -> None:
    """Keep every benchmark a command of its own."""


@app.command()
def replay(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Transactions, as `decision-service replay`.")
    ],
    limit: Annotated[int, typer.Option(min=1, help="Purchases to replay.")] = 15_000,
    seeds: Annotated[str, typer.Option(help="From:to, half open.")] = "1:4",
    json: Json = None,
    page: Page = None,
) -> None:
    """Does it learn? Real purchases against a business rule and uniform choice, several seeds."""
    from benchmarks import replay as benchmark

    first, _, end = seeds.partition(":")
    results = benchmark.measure(file, limit=limit, seeds=range(int(first), int(end)))
    command = f"python -m benchmarks replay {file.name} --limit {limit} --seeds {seeds}"
    _give("What is learned from real purchases", command, results, json, page, seed=seeds, purchases=limit)


Rounds = Annotated[int, typer.Option(min=5, help="Rounds of 100 calls each; the median over them is told.")]


@app.command()
def guardrails(rounds: Rounds = 101, json: Json = None, page: Page = None) -> None:
    """What do the rules cost? 250 joint actions under every rule, beside the policy call."""
    from benchmarks import stages

    results = stages.guardrails(rounds=rounds)
    _give("What the guardrails cost", f"python -m benchmarks guardrails --rounds {rounds}", results, json, page)


@app.command()
def policy(rounds: Rounds = 101, json: Json = None, page: Page = None) -> None:
    """What does the policy call cost? The default policy's distribution over 240 joint actions."""
    from benchmarks import stages

    results = stages.policy(rounds=rounds)
    _give("What the policy call costs", f"python -m benchmarks policy --rounds {rounds}", results, json, page)


@app.command()
def chaos(
    decides: Annotated[int, typer.Option(min=1)] = 100_000,
    shoppers: Annotated[int, typer.Option(min=1)] = 500,
    at_once: Annotated[int, typer.Option(min=1, help="Clients.")] = 200,
    replicas: Annotated[int, typer.Option(min=1)] = 2,
    kills: Annotated[int, typer.Option(min=0, help="How often Redis is killed, afterwards.")] = 3,
    policy: Annotated[str, typer.Option(help="As `decision-service serve`; uniform tries every rule.")] = "uniform",
    seed: Annotated[int, typer.Option(min=0)] = 1,
    data_dir: Annotated[Path | None, typer.Option(help="Keep the data here.")] = None,
    json: Json = None,
    page: Page = None,
) -> None:
    """Does any rule break? Many clients on few shoppers, Redis killed under load, the log audited afterwards."""
    from benchmarks.chaos import run

    plan = run.Plan(decides, shoppers, at_once, replicas, kills, policy, seed)
    ran = run.measure(plan, data_dir)
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in asdict(plan).items())
    _give("What many clients at once cannot break", f"python -m benchmarks chaos {options}", ran.results, json, page)
    if ran.broken:
        typer.echo(f"Broken: {ran.broken}", err=True)
        raise typer.Exit(1)


@app.command()
def simulator(
    rounds: Annotated[int, typer.Option(min=1, help="Runs per size; their median counts.")] = 3,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure how fast the simulated world is, and how much memory it takes."""
    from benchmarks import simulator as benchmark

    results = benchmark.measure(rounds=rounds, seed=seed)
    command = f"python -m benchmarks simulator --rounds {rounds} --seed {seed}"
    _give("How fast the world is", command, results, json, page, seed=seed, rounds=rounds)


@app.command()
def reinforce(
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of 256 shoppers to train on.")] = 40,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Train the example, a masked REINFORCE on NotificationEnv-v0, and compare it with random choice."""
    from benchmarks import reinforce as benchmark

    results = benchmark.measure(episodes=episodes, seed=seed)
    command = f"python -m benchmarks reinforce --episodes {episodes} --seed {seed}"
    _give("What a masked REINFORCE learns", command, results, json, page, seed=seed, episodes=episodes)


@app.command()
def calibrate(
    shoppers: Annotated[int, typer.Option(min=1_000)] = 30_000,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Fit the world's click and opt-out intercepts to the published rates; prints what to write down."""
    from benchmarks import calibration as benchmark

    results = benchmark.results(benchmark.calibrate(shoppers, seed))
    command = f"python -m benchmarks calibrate --shoppers {shoppers} --seed {seed}"
    _give("How the world was calibrated", command, results, json, page, seed=seed, shoppers=shoppers)


def _give(
    title: str, command: str, results: Sequence[Measured], json: Path | None, page: Path | None, **own: object
) -> None:
    """Print a table and write what was asked for."""
    about = facts(**own)
    text = markdown(title, command, results, about)
    typer.echo(text)
    if json is not None:
        write(json, results, about)
    if page is not None:
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    app()
