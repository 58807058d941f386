"""The commands that measure offline evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.publishing import Json, Page, Seed, publish, say


def coverage(
    repetitions: Annotated[int, typer.Option(min=1, help="Simulated logs of each kind.")] = 4_000,
    seed: Seed = 1,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure how often the intervals of offline evaluation contain the truth, in worlds with known truth."""
    from benchmarks.evaluation import coverage as benchmark

    results = benchmark.measure(repetitions, seed, say)
    command = f"python -m benchmarks coverage --repetitions {repetitions} --seed {seed}"
    publish("How often intervals hold the truth", command, results, json, page, seed=seed, repetitions=repetitions)


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
    results = benchmark.measure(plan, benchmark.Archive(keep), say)
    command = f"python -m benchmarks triangle --logs {logs} --seed {seed} --weeks {weeks} --shoppers {shoppers}"
    publish("Whether intervals hold the simulated truth", command, results, json, page, seed=seed, logs=logs)


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
    results = benchmark.measure(plan, workers, say)
    command = f"python -m benchmarks deployed --logs {logs} --seed {seed} --shoppers {shoppers} --weeks {weeks}"
    sizes: dict[str, Any] = {"seed": seed, "logs": logs, "shoppers": shoppers, "weeks": weeks}
    publish("What the verdict says on the full simulator", command, results, json, page, **sizes)
