"""The commands that measure work with the log."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from benchmarks.publishing import Json, Page, Seed, publish, say


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


def restart(
    rows: Annotated[int, typer.Option(min=1_000, help="Rows of the log.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="Pairs of starts, in turns.")] = 3,
    json: Json = None,
    page: Page = None,
) -> None:
    """Measure how long a start takes with a long log, from a snapshot of the states and without one."""
    from benchmarks.speed.logs import restart as benchmark

    results = benchmark.measure(rows, rounds, say)
    command = f"python -m benchmarks restart --rows {rows} --rounds {rounds}"
    publish("Starts with a long log", command, results, json, page, rows=rows, rounds=rounds)
