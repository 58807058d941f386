"""The commands that measure speed and memory."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.publishing import Json, Page, Seed, publish, say
from benchmarks.speed.turns.against import Against, describe, find_commit

Rounds = Annotated[int, typer.Option(min=5, help="Rounds of 100 calls each; the result is the median over the rounds.")]


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
    command = f"python -m benchmarks simulator --rounds {rounds} --seed {seed}{describe(against)}"
    against_commit = find_commit(against)
    publish("How fast the world is", command, results, json, page, seed=seed, rounds=rounds, against=against_commit)


def guardrails(rounds: Rounds = 101, json: Json = None, page: Page = None) -> None:
    """Measure the time of all rules over 250 joint actions, beside the policy call."""
    from benchmarks.speed import guardrails as benchmark

    results = benchmark.measure_rules(rounds=rounds)
    publish("What the guardrails cost", f"python -m benchmarks guardrails --rounds {rounds}", results, json, page)


def policy(rounds: Rounds = 101, against: Against = None, json: Json = None, page: Page = None) -> None:
    """Measure the policies that learn over 240 joint actions, and whole decisions in groups of requests."""
    from benchmarks.speed import decide_many
    from benchmarks.speed import guardrails as benchmark

    results = [*benchmark.measure_policy(rounds=rounds), *decide_many.measure(max(5, rounds // 5), against)]
    command = f"python -m benchmarks policy --rounds {rounds}{describe(against)}"
    publish("What the policy call costs", command, results, json, page, against=find_commit(against))


def heads(rounds: Rounds = 51, seed: Seed = 1, json: Json = None, page: Page = None) -> None:
    """Measure the Bayesian heads: learning, posterior means and draws over 240 joint actions."""
    from benchmarks.speed import heads as benchmark

    results = benchmark.measure(rounds=rounds, seed=seed)
    command = f"python -m benchmarks heads --rounds {rounds} --seed {seed}"
    publish("What the Bayesian heads cost", command, results, json, page, seed=seed, rounds=rounds)


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
    options = "".join(f" --factor {name}" for name in factor or ()) + (" --full" if full else "") + describe(against)
    command = f"python -m benchmarks decide --rounds {rounds} --seconds {seconds:g} --seed {seed}{options}"
    sizes = {"rounds": rounds, "seconds": seconds, "warm_up": warm_up, "seed": seed, "against": find_commit(against)}
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


def stages(
    seconds: Annotated[float, typer.Option(min=0.01, help="At most for each stage.")] = 1.0,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure the stages of a decision one by one, with pytest-benchmark."""
    from benchmarks.speed import stage_times

    results = stage_times.measure(seconds)
    publish("The stages of a decision", f"python -m benchmarks stages --seconds {seconds:g}", results, json, page)


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
