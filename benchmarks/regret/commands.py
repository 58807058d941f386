"""The commands that compare policies in scenarios and worlds, and search among them."""

from __future__ import annotations

from inspect import getdoc
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.publishing import Json, Page, parse_span, publish, say


def _check_policies(policies: list[str] | None) -> list[str] | None:
    from policies.models.registry import POLICIES

    for name in policies or []:
        if name not in POLICIES:
            raise typer.BadParameter(f"must be one of {', '.join(POLICIES)}, not {name!r}")
    return policies


Policies = Annotated[
    list[str] | None,
    typer.Option(
        "--policy", help="A policy of the registry; can be repeated. Default: default.", callback=_check_policies
    ),
]
Keep = Annotated[Path, typer.Option(help="Keep the runs here, and read those of the same code that are there.")]
Processes = Annotated[int | None, typer.Option(min=1, help="Runs at a time; default: one for each core.")]
_BUILD = Path("build/regret")


def regret(
    policies: Policies = None,
    scenario: Annotated[str, typer.Option(help="Named scenarios, with commas; or: all.")] = "",
    worlds: Annotated[str, typer.Option(help="Worlds of the family, from:to, half open.")] = "",
    seeds: Annotated[str, typer.Option(help="From:to, half open.")] = "1:2",
    shoppers: Annotated[int, typer.Option(min=10, help="Of each run.")] = 2_000,
    weeks: Annotated[int, typer.Option(min=1, help="Of each run.")] = 12,
    keep: Keep = _BUILD,
    processes: Processes = None,
    json: Json = None,
    page: Page = None,
) -> None:
    """Compare policies with the rule and the planner. It continues where it stopped.

    The page has the standings in every scenario and over the family, what each policy sends beside what it predicts and
    what is true, and a plot of the values over the weeks (an SVG file beside the page).
    """
    from benchmarks.learning.plan import choose_scenarios
    from benchmarks.regret import measurements, tables
    from benchmarks.regret.code_version import code_version
    from benchmarks.regret.comparing import RunKeeping, compare
    from benchmarks.regret.runs import Field
    from simulators.regret.run_store import RunStore

    if scenario and worlds:
        raise typer.BadParameter("name scenarios or worlds, not both: the intervals are over seeds or over worlds")
    keeping, names = RunKeeping(RunStore(keep, code_version()), processes, say), policies or ["default"]
    field = Field(choose_scenarios(scenario, worlds, weeks, "--scenario"), parse_span(seeds), shoppers)
    standings = compare(field, names, keeping)
    of_scenarios = [one for name in standings.runs for one in measurements.to_scenario_measurements(standings, name)]
    of_family = [*measurements.to_family_measurements(standings)] if standings.is_family else []
    plot = "" if page is None else f"\n![value over weeks]({page.with_suffix('.svg').name})\n"
    if page is not None:
        page.with_suffix(".svg").write_text(tables.draw_values(standings), encoding="utf-8")
    limits = {"scenario": scenario, "worlds": worlds, "seeds": seeds, "shoppers": shoppers, "weeks": weeks}
    options = [f"--{name} {value}" for name, value in limits.items() if value] + [f"--policy {name}" for name in names]
    publish(
        "What policies earn beside the rule and the planner",
        " ".join(["python -m benchmarks regret", *options]),
        of_family or of_scenarios,
        json,
        page,
        table=f"{plot}\n{tables.to_tables(standings)}",
        more=[*(of_scenarios if of_family else []), *measurements.to_place_measurements(standings)],
        seed=seeds,
        shoppers=shoppers,
        code=keeping.store.version,
    )


def search(
    policies: Policies = None,
    worlds: Annotated[str, typer.Option(help="Worlds of the family, from:to, half open.")] = "0:20",
    seed: Annotated[int, typer.Option(min=0, help="Of all runs.")] = 1,
    shoppers: Annotated[int, typer.Option(min=10, help="Of each run.")] = 1_000,
    weeks: Annotated[int, typer.Option(min=1, help="Of each run.")] = 12,
    keep: Keep = _BUILD,
    processes: Processes = None,
    json: Json = None,
    page: Page = None,
) -> None:
    """Choose among policies on worlds 0 to 19, by a rule that is stated before.

    Name the candidates from the simplest to the most elaborate. With three or more of them, the first round runs in a
    quarter of the worlds and the second in half of them. After each, the better half of the challengers goes on, by the
    mean of their differences to the first candidate. The first candidate goes on always.

    The last round runs in all worlds. Each challenger is compared with the choice so far. The difference is that of the
    values of the last third, each as a share of the planner's value in its world. The challenger takes the place of the
    choice if the mean difference over the worlds is positive with a one-sided 90 % bound (Student's t). Otherwise the
    simpler one stays.
    """
    from benchmarks.regret import searching
    from benchmarks.regret.code_version import code_version
    from benchmarks.regret.comparing import RunKeeping
    from simulators.regret.run_store import RunStore
    from simulators.regret.search import SearchRefused

    keeping = RunKeeping(RunStore(keep, code_version()), processes, say)
    size = searching.SearchSize(weeks, shoppers, seed)
    try:
        result = searching.search_worlds(policies or [], parse_span(worlds, "--worlds"), size, keeping)
    except SearchRefused as error:
        raise typer.BadParameter(str(error)) from error
    limits = {"worlds": worlds, "seed": seed, "shoppers": shoppers, "weeks": weeks}
    options = [f"--{name} {value}" for name, value in limits.items()] + [f"--policy {name}" for name in policies or []]
    publish(
        "A search among policies",
        " ".join(["python -m benchmarks search", *options]),
        [*searching.to_measurements(result)],
        json,
        page,
        table=f"{getdoc(search)}\n\n{searching.to_table(result)}",
        seed=seed,
        shoppers=shoppers,
        worlds=worlds,
        code=keeping.store.version,
    )
