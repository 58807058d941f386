"""The commands that measure speed: in process, on the running service, and with the log."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.publishing import Json, Page, Seed, publish, say

app = typer.Typer()

Rounds = Annotated[int, typer.Option(min=5, help="Rounds of 100 calls each; the result is the median over the rounds.")]
Against = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        resolve_path=True,
        help="Also measure an older checkout of this project, in turns; it needs a virtual environment at .venv.",
    ),
]


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
    publish(f"{rows:,} rows of Parquet", command, results, json, page, seed=seed)


@app.command()
def simulator(
    rounds: Annotated[int, typer.Option(min=1, help="Runs per size; their median counts.")] = 3,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    against: Against = None,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure the speed and the memory of the simulated world."""
    from benchmarks.speed import simulator as benchmark

    results = benchmark.measure(rounds=rounds, seed=seed, against=against)
    command = f"python -m benchmarks simulator --rounds {rounds} --seed {seed}{_describe(against)}"
    against_commit = _find_commit(against)
    publish("How fast the world is", command, results, json, page, seed=seed, rounds=rounds, against=against_commit)


@app.command()
def guardrails(rounds: Rounds = 101, json: Json = None, page: Page = None) -> None:
    """Measure the time of all rules over 250 joint actions, beside the policy call."""
    from benchmarks.speed import guardrails as benchmark

    results = benchmark.measure_rules(rounds=rounds)
    publish("What the guardrails cost", f"python -m benchmarks guardrails --rounds {rounds}", results, json, page)


@app.command()
def policy(rounds: Rounds = 101, against: Against = None, json: Json = None, page: Page = None) -> None:
    """Measure the default policy over 240 joint actions, and whole decisions in groups of requests."""
    from benchmarks.speed import decide_many
    from benchmarks.speed import guardrails as benchmark

    results = [*benchmark.measure_policy(rounds=rounds), *decide_many.measure(max(5, rounds // 5), against)]
    command = f"python -m benchmarks policy --rounds {rounds}{_describe(against)}"
    publish("What the policy call costs", command, results, json, page, against=_find_commit(against))


@app.command()
def heads(rounds: Rounds = 51, seed: Seed = 1, json: Json = None, page: Page = None) -> None:
    """Measure the Bayesian heads: learning, posterior means and draws over 240 joint actions."""
    from benchmarks.speed import heads as benchmark

    results = benchmark.measure(rounds=rounds, seed=seed)
    command = f"python -m benchmarks heads --rounds {rounds} --seed {seed}"
    publish("What the Bayesian heads cost", command, results, json, page, seed=seed, rounds=rounds)


@app.command()
def decide(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of all points in turns.")] = 9,
    seconds: Annotated[float, typer.Option(min=0.2, help="Seconds of each load.")] = 1.5,
    warm_up: Annotated[int, typer.Option(min=0, help="Decisions before the first round.")] = 30_000,
    factor: Annotated[
        list[str] | None,
        typer.Option(
            help="240, 1000, replicas2, serve_proxy or 1m_shoppers (default: all but the last); `base`: no factor."
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Also 1m_shoppers, a million known shoppers: this factor takes long.")
    ] = False,
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
        measured = benchmark.measure(plan, say)
    except benchmark.FAILURES as error:
        say(f"base: {error}")
        raise typer.Exit(1) from error
    options = "".join(f" --factor {name}" for name in factor or ()) + (" --full" if full else "") + _describe(against)
    command = f"python -m benchmarks decide --rounds {rounds} --seconds {seconds:g} --seed {seed}{options}"
    sizes = {"rounds": rounds, "seconds": seconds, "warm_up": warm_up, "seed": seed, "against": _find_commit(against)}
    publish(
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
        say(failure)
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
    publish("The stages of a decision", f"python -m benchmarks stages --seconds {seconds:g}", results, json, page)


@app.command()
def append(
    rounds: Annotated[int, typer.Option(min=5, help="Appends of each size; the result is their median.")] = 25,
    seed: Seed = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure appends to the log beside the floor: one transaction with one statement for the same rows."""
    from benchmarks.speed.logs import log_append

    measured = log_append.append_against_floor((1, 4, 16, 64, 100), rounds, seed)
    # `decide` measures decide.row_bytes on its own catalogue; these rows are of the example catalogue.
    results = [replace(one, name="log.row_bytes") if one.name == "decide.row_bytes" else one for one in measured]
    command = f"python -m benchmarks append --rounds {rounds} --seed {seed}"
    publish("What an append to the log costs", command, results, json, page, seed=seed, rounds=rounds)


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
    from benchmarks.speed.logs import learn as benchmark
    from benchmarks.speed.logs import live

    results = [*benchmark.measure(rows, rounds, seed, say), *live.measure(feedbacks, seconds, say)]
    command = f"python -m benchmarks learn --rows {rows} --rounds {rounds} --feedbacks {feedbacks} --seed {seed}"
    publish("How fast the learner is", command, results, json, page, seed=seed, rows=rows, rounds=rounds)


@app.command()
def growth(
    rows: Annotated[int, typer.Option(min=1_000, help="Rows of the real log.")] = 50_000,
    full: Annotated[
        bool, typer.Option("--full", help="Also a log of 20 times the real log, and not only of 4 times.")
    ] = False,
    seed: Seed = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure how the costs of append, fold and report grow with the log: a real log, repeated 1 and 4 times."""
    from benchmarks.speed.logs import growth as benchmark

    results = benchmark.measure(rows, (1, 4, 20) if full else (1, 4), seed, say)
    command = f"python -m benchmarks growth --rows {rows} --seed {seed}" + (" --full" if full else "")
    publish("How costs grow with the log", command, results, json, page, seed=seed, rows=rows)


@app.command()
def memory(
    decisions: Annotated[int, typer.Option(min=2_000, help="Decisions in lists of 100.")] = 200_000,
    shoppers: Annotated[int, typer.Option(min=1, help="Shoppers that they are about.")] = 10_000,
    seed: Seed = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure the resident memory of a replica, the learner and Redis over many decisions."""
    from benchmarks.speed import memory as benchmark

    results = benchmark.measure(decisions, shoppers, seed, say)
    command = f"python -m benchmarks memory --decisions {decisions} --shoppers {shoppers} --seed {seed}"
    publish("Memory over many decisions", command, results, json, page, seed=seed, decisions=decisions)


@app.command()
def restart(
    rows: Annotated[int, typer.Option(min=1_000, help="Rows of the log.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="Pairs of starts, in turns.")] = 3,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure how long a start takes with a long log, from a snapshot of the states and without one."""
    from benchmarks.speed.logs import restart as benchmark

    results = benchmark.measure(rows, rounds, lambda part: typer.echo(part, err=True))
    command = f"python -m benchmarks restart --rows {rows} --rounds {rounds}"
    publish("Starts with a long log", command, results, json, page, rows=rows, rounds=rounds)


@app.command()
def figures(
    directory: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The results.")] = Path(
        "docs/results"
    ),
    pages: Annotated[list[Path] | None, typer.Option("--fill", help="A page whose figures are written.")] = None,
) -> None:
    """Write the figures of the results into the pages that cite them, and into the README of the results."""
    from benchmarks import figures as benchmark

    benchmark.write(directory, pages or [Path("docs/performance.md")])


def _describe(against: Path | None) -> str:
    """Return the option as it stands on a page, without the path of this machine."""
    return "" if against is None else " --against OLDER"


def _find_commit(checkout: Path | None) -> str | None:
    """Return the commit of another checkout."""
    if checkout is None:
        return None
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
