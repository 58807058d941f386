"""The command line of the benchmarks: ``python -m benchmarks``."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.page import markdown
from decision_service.cli.measurements import Measured, facts, write

app = typer.Typer(
    help="Measure the service. Every command writes its results with the facts of the machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[Path | None, typer.Option("--json", help="Also write the results to this file.")]
Page = Annotated[Path | None, typer.Option("--markdown", help="Also write them as a page.")]


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
    """Measure what the service learns from real purchases, against a business rule and uniform choice."""
    from benchmarks.learning import replay as benchmark

    first, _, end = seeds.partition(":")
    results = benchmark.measure(file, limit=limit, seeds=range(int(first), int(end)))
    command = f"python -m benchmarks replay {file.name} --limit {limit} --seeds {seeds}"
    _publish("What is learned from real purchases", command, results, json, page, seed=seeds, purchases=limit)


Seed = Annotated[int, typer.Option(min=0, help="Decides the simulated logs.")]


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
    _publish("How often intervals hold the truth", command, results, json, page, seed=seed, repetitions=repetitions)


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
    _publish("Where sends tire", command, results, json, page, seed=seed, repetitions=repetitions)


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
    _publish("A policy learned from a randomised log", command, results, json, page, seed=f"0:{halves}")


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
    _publish(
        "The Open Bandit sample", "python -m benchmarks open-bandit obp/dataset/obd", results, json, page, seed=None
    )


@app.command()
def scale(
    rows: Annotated[int, typer.Option(min=1, help="Rows of the Parquet file.")] = 10_000_000,
    shoppers: Annotated[int, typer.Option(min=1, help="Shoppers that they belong to.")] = 500_000,
    seed: Seed = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure peak memory and time for a long log, streamed and from memory."""
    from benchmarks.speed import scale as benchmark

    results = benchmark.measure(rows, shoppers, seed)
    command = f"python -m benchmarks scale --rows {rows} --shoppers {shoppers} --seed {seed}"
    _publish(f"{rows:,} rows of Parquet", command, results, json, page, seed=seed)


@app.command()
def restart(
    rows: Annotated[int, typer.Option(min=1_000, help="Rows of the log.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="Pairs of starts, in turns.")] = 3,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure how long a start takes with a long log, from a snapshot of the states and without one."""
    from benchmarks.speed import restart as benchmark

    results = benchmark.measure(rows, rounds, lambda part: typer.echo(part, err=True))
    command = f"python -m benchmarks restart --rows {rows} --rounds {rounds}"
    _publish("Starts with a long log", command, results, json, page, rows=rows, rounds=rounds)


Rounds = Annotated[int, typer.Option(min=5, help="Rounds of 100 calls each; the result is the median over the rounds.")]


@app.command()
def guardrails(rounds: Rounds = 101, json: Json = None, page: Page = None) -> None:
    """Measure the time of all rules over 250 joint actions, beside the policy call."""
    from benchmarks.speed import stages

    results = stages.guardrails(rounds=rounds)
    _publish("What the guardrails cost", f"python -m benchmarks guardrails --rounds {rounds}", results, json, page)


Against = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        help="Also measure an older checkout of this project, in turns; it needs a virtual environment at .venv.",
    ),
]


@app.command()
def policy(rounds: Rounds = 101, against: Against = None, json: Json = None, page: Page = None) -> None:
    """Measure the default policy over 240 joint actions, and whole decisions in groups of requests."""
    from benchmarks.speed import decide_many, stages

    results = [*stages.policy(rounds=rounds), *decide_many.measure(max(5, rounds // 5), against)]
    command = f"python -m benchmarks policy --rounds {rounds}{_describe(against)}"
    _publish("What the policy call costs", command, results, json, page, against=_find_commit(against))


@app.command()
def decide(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of all points in turns.")] = 9,
    seconds: Annotated[float, typer.Option(min=0.2, help="Seconds of each load.")] = 1.5,
    warm_up: Annotated[int, typer.Option(min=0, help="Decisions before the first round.")] = 30_000,
    factor: Annotated[
        list[str] | None,
        typer.Option(help="240, 1000, replicas2, serve_proxy or 1m_shoppers; `base` for none. All but the last."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="All factors: a million known shoppers takes long.")] = False,
    against: Against = None,
    seed: Seed = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure decide over HTTP beside routes that do nothing, factor by factor from one base point."""
    from benchmarks.speed.serving import decide as benchmark
    from benchmarks.speed.serving.scenes import Size

    try:
        scenes = benchmark.choose_scenes(factor or [], full=full)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--factor") from error
    plan = benchmark.Plan(Size(rounds, seconds, warm_up, seed), scenes, against)
    try:
        measured = benchmark.measure(plan, _say)
    except benchmark.FAILURES as error:
        _say(f"base: {error}")
        raise typer.Exit(1) from error
    options = "".join(f" --factor {name}" for name in factor or ()) + (" --full" if full else "") + _describe(against)
    command = f"python -m benchmarks decide --rounds {rounds} --seconds {seconds:g} --seed {seed}{options}"
    sizes = {"rounds": rounds, "seconds": seconds, "warm_up": warm_up, "seed": seed, "against": _find_commit(against)}
    _publish(
        "What a decision costs",
        command,
        measured.results,
        json,
        page,
        table=measured.table,
        more=measured.points,
        **sizes,
    )
    for failure in measured.failures:
        _say(failure)
    if measured.failures:
        raise typer.Exit(1)


@app.command()
def stages(
    seconds: Annotated[float, typer.Option(min=0.01, help="At most for each stage.")] = 1.0,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure the stages of a decision one by one, with pytest-benchmark."""
    from benchmarks.speed import stage_times

    results = stage_times.measure(seconds)
    _publish("The stages of a decision", f"python -m benchmarks stages --seconds {seconds:g}", results, json, page)


@app.command()
def learn(
    rows: Annotated[int, typer.Option(min=1_000, help="Rows of the log that is folded.")] = 50_000,
    rounds: Annotated[int, typer.Option(min=1, help="Folds; the result is their median.")] = 5,
    feedbacks: Annotated[int, typer.Option(min=20, help="Feedbacks per second to the running service.")] = 500,
    seconds: Annotated[float, typer.Option(min=1.0, help="How long feedback is sent.")] = 30.0,
    seed: Seed = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure the learner: interactions, the fold of a real log, and the time from feedback to a live model."""
    from benchmarks.speed import learn as benchmark
    from benchmarks.speed import live

    results = [*benchmark.measure(rows, rounds, seed, _say), *live.measure(feedbacks, seconds, _say)]
    command = f"python -m benchmarks learn --rows {rows} --rounds {rounds} --feedbacks {feedbacks} --seed {seed}"
    _publish("How fast the learner is", command, results, json, page, seed=seed, rows=rows, rounds=rounds)


@app.command()
def growth(
    rows: Annotated[int, typer.Option(min=1_000, help="Rows of the real log.")] = 50_000,
    full: Annotated[bool, typer.Option("--full", help="Up to 20 times the real log and not 4 times.")] = False,
    seed: Seed = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure how append, fold and report grow with the log; its rows are those of a real log, many times."""
    from benchmarks.speed import growth as benchmark

    results = benchmark.measure(rows, (1, 4, 20) if full else (1, 4), seed, _say)
    command = f"python -m benchmarks growth --rows {rows} --seed {seed}" + (" --full" if full else "")
    _publish("How costs grow with the log", command, results, json, page, seed=seed, rows=rows)


@app.command()
def glance(
    directory: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The results.")] = Path(
        "docs/results"
    ),
    pages: Annotated[list[Path] | None, typer.Option("--fill", help="A page whose figures are written.")] = None,
) -> None:
    """Write the figures of the results into pages that cite them, and their rows into the README of the results."""
    from benchmarks import figures

    figures.write(directory, pages or [Path("docs/performance.md")])


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
    _publish(
        "What many clients at once cannot break", f"python -m benchmarks chaos {options}", outcome.results, json, page
    )
    if outcome.broken:
        typer.echo(f"Broken: {outcome.broken}", err=True)
        raise typer.Exit(1)


@app.command()
def simulator(
    rounds: Annotated[int, typer.Option(min=1, help="Runs per size; their median counts.")] = 3,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure the speed and the memory of the simulated world."""
    from benchmarks.speed import simulator as benchmark

    results = benchmark.measure(rounds=rounds, seed=seed)
    command = f"python -m benchmarks simulator --rounds {rounds} --seed {seed}"
    _publish("How fast the world is", command, results, json, page, seed=seed, rounds=rounds)


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
    _publish("What a masked REINFORCE learns", command, results, json, page, seed=seed, episodes=episodes)


@app.command()
def calibrate(
    shoppers: Annotated[int, typer.Option(min=1_000)] = 30_000,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Fit the world's click and opt-out intercepts to the published rates, and print them."""
    from benchmarks import calibration as benchmark

    results = benchmark.to_measurements(benchmark.calibrate(shoppers, seed))
    command = f"python -m benchmarks calibrate --shoppers {shoppers} --seed {seed}"
    _publish("How the world was calibrated", command, results, json, page, seed=seed, shoppers=shoppers)


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
    _publish("Whether intervals hold the simulated truth", command, results, json, page, seed=seed, logs=logs)


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
    _publish("What the verdict says on the full simulator", command, results, json, page, **sizes)


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
    _publish("What faults do to the running service", command, table.to_measurements(all_repeated), json, page)
    if page is not None:
        page.write_text(f"{page.read_text(encoding='utf-8')}\n{outcomes}", encoding="utf-8")
    if not all(repeated.outcome.held for repeated in all_repeated):
        raise typer.Exit(1)


def _describe(against: Path | None) -> str:
    """Return the option as it stands on a page, without the path of this machine."""
    return "" if against is None else " --against OLDER"


def _find_commit(checkout: Path | None) -> str | None:
    """Return the commit of another checkout."""
    if checkout is None:
        return None
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _say(line: str) -> None:
    """Show a line of progress."""
    typer.echo(line, err=True)


def _publish(
    title: str,
    command: str,
    results: Sequence[Measured],
    json: Path | None,
    page: Path | None,
    *,
    table: str = "",
    more: Sequence[Measured] = (),
    **settings: Any,
) -> None:
    """Print the results as a page, with a table below, and write the files that the options name.

    ``more`` are results that the table shows: they are written to the JSON file only.
    """
    about = facts(**settings)
    text = markdown(title, command, results, about) + (f"\n{table}" if table else "")
    typer.echo(text)
    if json is not None:
        write(json, [*results, *more], about)
    if page is not None:
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    app()
