"""The commands that measure what is learned, and compare with the planner."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.publishing import Json, Page, parse_span, publish, say

Scenarios = Annotated[str, typer.Option(help="Named scenarios, with commas; or: all.")]
Worlds = Annotated[str, typer.Option(help="Worlds of the family, from:to, half open.")]


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


def plan(
    scenarios: Scenarios = "",
    worlds: Worlds = "",
    shoppers: Annotated[int, typer.Option(min=10, help="Of the training population.")] = 500,
    rounds: Annotated[int, typer.Option(min=0, max=6, help="Of the search; each runs nine prices.")] = 3,
    again: Annotated[bool, typer.Option(help="Also make the plans that are stored already.")] = False,
) -> None:
    """Find what consents are worth, and the planner's prices, and store them with the simulator."""
    from benchmarks.learning import plan as benchmark

    chosen = benchmark.choose_scenarios(scenarios, worlds)
    benchmark.make_plans(chosen, shoppers, rounds, again=again, progress=say)


def planner(
    scenarios: Scenarios = "",
    worlds: Worlds = "",
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
