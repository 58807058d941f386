"""The command line of the benchmarks: ``python -m benchmarks``."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.publishing import Json, Page, Seed, parse_span, publish, say
from benchmarks.speed import commands
from benchmarks.worlds import commands as worlds_commands

app = typer.Typer(
    help="Measure the service. Every command writes its results with the facts of the machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(commands.app)
app.add_typer(worlds_commands.app)


@app.callback()
def _commands() -> None:
    """Measure the service, the learning and the evaluation."""


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
    """Measure what the service learns from real purchases, against the baselines and the planner."""
    from benchmarks.learning import replay as benchmark

    results = benchmark.measure(file, limit=limit, seeds=parse_span(seeds))
    command = f"python -m benchmarks replay {file.name} --limit {limit} --seeds {seeds}"
    publish("What is learned from real purchases", command, results, json, page, seed=seeds, purchases=limit)


@app.command()
def coverage(
    repetitions: Annotated[int, typer.Option(min=1, help="Simulated logs of each kind.")] = 4_000,
    seed: Seed = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure how often the intervals of offline evaluation contain the truth, in worlds with known truth."""
    from benchmarks.evaluation import coverage as benchmark

    results = benchmark.measure(repetitions, seed, lambda part: typer.echo(part, err=True))
    command = f"python -m benchmarks coverage --repetitions {repetitions} --seed {seed}"
    publish("How often intervals hold the truth", command, results, json, page, seed=seed, repetitions=repetitions)


@app.command()
def fatigue(
    repetitions: Annotated[int, typer.Option(min=2, help="Simulated logs.")] = 400,
    seed: Seed = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure the bias of sequential estimators and a bandit estimator where sends tire."""
    from benchmarks.evaluation import fatigue as benchmark

    results = benchmark.measure(repetitions, seed)
    command = f"python -m benchmarks fatigue --repetitions {repetitions} --seed {seed}"
    publish("Where sends tire", command, results, json, page, seed=seed, repetitions=repetitions)


@app.command()
def offers(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The randomised offers, CSV in gzip.")],
    halves: Annotated[int, typer.Option(min=1, help="Random halves, seeds 0 and up.")] = 10,
    json: Json = None,
    page: Page = None,
) -> None:
    """Learn a policy on one half of real customers, and evaluate it on the other half."""
    from benchmarks.evaluation import offers as benchmark

    results = benchmark.measure(file, halves)
    command = f"python -m benchmarks offers {file.name} --halves {halves}"
    publish("A policy learned from a randomised log", command, results, json, page, seed=f"0:{halves}")


@app.command()
def open_bandit(
    directory: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="The sample in obp's wheel: obp/dataset/obd.")
    ],
    json: Json = None,
    page: Page = None,
) -> None:
    """Evaluate on the Open Bandit sample, whose logs hardly overlap with the target."""
    from benchmarks.evaluation import open_bandit as benchmark

    results = benchmark.measure(directory)
    publish(
        "The Open Bandit sample", "python -m benchmarks open-bandit obp/dataset/obd", results, json, page, seed=None
    )


@app.command()
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
    from benchmarks import chaos as benchmark

    plan = benchmark.Plan(decides, shoppers, at_once, replicas, renames, kills, policy, seed)
    outcome = benchmark.measure(plan, data_dir)
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in asdict(plan).items())
    publish(
        "What many clients at once cannot break", f"python -m benchmarks chaos {options}", outcome.results, json, page
    )
    if outcome.broken:
        typer.echo(f"Broken: {outcome.broken}", err=True)
        raise typer.Exit(1)


@app.command()
def reinforce(
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of 256 shoppers to train on.")] = 40,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Train a masked REINFORCE agent on NotificationEnv-v0, and compare it with random choice."""
    from benchmarks.learning import reinforce as benchmark

    results = benchmark.measure(episodes=episodes, seed=seed)
    command = f"python -m benchmarks reinforce --episodes {episodes} --seed {seed}"
    publish("What a masked REINFORCE learns", command, results, json, page, seed=seed, episodes=episodes)


_Scenarios = Annotated[str, typer.Option(help="Named scenarios, with commas; or: all.")]
_Worlds = Annotated[str, typer.Option(help="Worlds of the family, from:to, half open.")]


@app.command()
def plan(
    scenarios: _Scenarios = "",
    worlds: _Worlds = "",
    shoppers: Annotated[int, typer.Option(min=10, help="Of the twin population.")] = 500,
    rounds: Annotated[int, typer.Option(min=0, max=6, help="Of the search; each runs nine prices.")] = 3,
    again: Annotated[bool, typer.Option(help="Also make the plans that are stored already.")] = False,
) -> None:
    """Find what consents are worth, and the planner's prices, and store them with the simulator."""
    from benchmarks.learning import plan as benchmark

    chosen = benchmark.choose_scenarios(scenarios, worlds)
    benchmark.make_plans(chosen, shoppers, rounds, again=again, progress=say)


@app.command()
def planner(
    scenarios: _Scenarios = "",
    worlds: _Worlds = "",
    shoppers: Annotated[int, typer.Option(min=10, help="Of each run.")] = 500,
    seeds: Annotated[str, typer.Option(help="From:to, half open.")] = "1:4",
    weeks: Annotated[int | None, typer.Option(min=1, help="Of each run; default: the scenario's own.")] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Keep the runs in this directory, and read those that are there.")
    ] = None,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure what the baselines and the planner earn, and sweep the number of e-mails a week."""
    from benchmarks.learning import planner as benchmark
    from benchmarks.learning.plan import choose_scenarios, require_plan

    values = {
        scenario.name: benchmark.Runs(scenario, shoppers, parse_span(seeds), partial(require_plan, scenario)).values(
            keep, say
        )
        for scenario in choose_scenarios(scenarios, worlds, weeks)
    }
    limits = {"scenarios": scenarios, "worlds": worlds, "weeks": weeks, "shoppers": shoppers, "seeds": seeds}
    options = (f"--{name} {value}" for name, value in limits.items() if value)
    command = " ".join(["python -m benchmarks planner", *options])
    about = {"seed": seeds, "shoppers": shoppers}
    results, contenders = list(benchmark.to_measurements(values)), list(benchmark.to_contender_measurements(values))
    title, tables = "What the baselines earn, and whether any is above the planner", benchmark.to_tables(values)
    publish(title, command, results, json, page, table=tables, more=contenders, **about)


@app.command()
def parameters(
    check: Annotated[bool, typer.Option("--check", help="Only compare; fail if they differ.")] = False,
) -> None:
    """Write the tables of parameters into docs/simulator.md."""
    from benchmarks import parameter_tables

    if not parameter_tables.write(only_check=check) and check:
        typer.echo("docs/simulator.md has other parameters: run python -m benchmarks parameters", err=True)
        raise typer.Exit(1)


@app.command()
def calibrate(
    shoppers: Annotated[int, typer.Option(min=1_000)] = 30_000,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Fit the world's channels to published rates, and compare other published figures with the world."""
    from benchmarks import calibration, realism

    results = calibration.to_measurements(calibration.calibrate(shoppers, seed))
    figures, sweep = realism.measure_all(shoppers, seed), realism.measure_sweep(1_000)
    command = f"python -m benchmarks calibrate --shoppers {shoppers} --seed {seed}"
    table, more = realism.to_table(figures, sweep), [*realism.to_measurements(figures), *sweep]
    about = {"seed": seed, "shoppers": shoppers}
    publish("How the world was calibrated", command, results, json, page, table=table, more=more, **about)


@app.command()
def triangle(
    logs: Annotated[int, typer.Option(min=1, help="Simulated logs of 20,000 decisions.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the first log.")] = 1,
    weeks: Annotated[int, typer.Option(min=2, help="Of each simulation; the last two only record outcomes.")] = 5,
    workers: Annotated[int, typer.Option(min=1, help="Logs made at once.")] = 2,
    shoppers: Annotated[
        int, typer.Option(min=1, help="Of each simulation; fewer make logs of fewer decisions.")
    ] = 12_000,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="Keep each log in this directory, and read the logs that are there. Delete them when code changes."
        ),
    ] = None,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure whether the intervals of offline evaluation contain the simulated truth."""
    from benchmarks.evaluation import triangle as benchmark

    plan = benchmark.Plan(logs, seed, weeks, workers, shoppers)
    results = benchmark.measure(plan, benchmark.Archive(keep), lambda part: typer.echo(part, err=True))
    command = f"python -m benchmarks triangle --logs {logs} --seed {seed} --weeks {weeks} --shoppers {shoppers}"
    publish("Whether intervals hold the simulated truth", command, results, json, page, seed=seed, logs=logs)


@app.command("deployed")
def deploy(
    logs: Annotated[int, typer.Option(min=2, help="Simulated logs of each scenario.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of the first log.")] = 1,
    shoppers: Annotated[int, typer.Option(min=100)] = 3_000,
    weeks: Annotated[int, typer.Option(min=2)] = 6,
    workers: Annotated[int, typer.Option(min=1, help="Logs made at once.")] = 2,
    json: Json = None,
    page: Page = None,
) -> None:
    """Compare estimates and verdicts with the reward that a policy earns when it is deployed."""
    from benchmarks.evaluation import deployed as benchmark

    plan = benchmark.Plan(logs, seed, shoppers, weeks)
    results = benchmark.measure(plan, workers, lambda part: typer.echo(part, err=True))
    command = f"python -m benchmarks deployed --logs {logs} --seed {seed} --shoppers {shoppers} --weeks {weeks}"
    sizes: dict[str, Any] = {"seed": seed, "logs": logs, "shoppers": shoppers, "weeks": weeks}
    publish("What the verdict says on the full simulator", command, results, json, page, **sizes)


@app.command("faults")
def repeat_faults(
    names: Annotated[list[str] | None, typer.Argument(help="Names or numbers of faults; all without one.")] = None,
    json: Json = None,
    page: Page = None,
) -> None:
    """Repeat faults on the running service, and measure the outage of each."""
    from benchmarks.faults import run, table

    all_repeated = run.repeat(run.choose(run.find_faults(), names or ()), lambda part: typer.echo(part, err=True))
    command = " ".join(["python -m benchmarks faults", *(names or ())])
    outcomes = table.to_table(all_repeated)
    typer.echo(outcomes)
    publish("What faults do to the running service", command, table.to_measurements(all_repeated), json, page)
    if page is not None:
        page.write_text(f"{page.read_text(encoding='utf-8')}\n{outcomes}", encoding="utf-8")
    if not all(repeated.outcome.held for repeated in all_repeated):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
