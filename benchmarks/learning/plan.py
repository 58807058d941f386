"""Make the plans of the planner: what consents are worth in a scenario, and the planner's prices."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from benchmarks.publishing import parse_span
from decision_service.catalogues.file import example
from decision_service.cli.scenario_file import fit_weeks, load_scenario
from policies.catalogue.rulebook import Rulebook
from simulators.family.draw import draw_world
from simulators.plans import stored_plans
from simulators.plans.plan import Plan
from simulators.plans.price_search import make_plan
from simulators.plans.stored_plans import plan_key, read_plans, stored_plan
from simulators.scenario import SCENARIOS, Scenario

FILE = Path(stored_plans.__file__).with_name("plans.json")


def choose_scenarios(names: str, worlds: str, weeks: int | None = None, option: str = "--scenarios") -> list[Scenario]:
    """Return the scenarios of the options of a command.

    Parameters
    ----------
    names
        Of the ``option``: named scenarios or files, with commas (``stationary,drift``), or ``all``.
    worlds
        Of ``--worlds``: worlds of the family, such as ``20:60``.
    weeks
        Of ``--weeks``: another length for all of them.

    Raises
    ------
    typer.BadParameter
        When nothing is named, there is no such scenario or world, or one does not fit into the length; the message
        names the option.
    """
    chosen = [*SCENARIOS] if names == "all" else [name for name in names.split(",") if name]
    try:
        scenarios = [load_scenario(name) for name in chosen]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
    scenarios += map(draw_world, parse_span(worlds, "--worlds") if worlds else ())
    if not scenarios:
        raise typer.BadParameter("name at least one scenario or world", param_hint=f"{option}, --worlds")
    try:
        return [fit_weeks(scenario, weeks) for scenario in scenarios]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def require_plan(scenario: Scenario) -> Plan:
    """Return the stored plan of a scenario with the example catalogue.

    Raises
    ------
    typer.BadParameter
        When none is stored; the message says how to make one.
    """
    plan = stored_plan(scenario, Rulebook.of(example(), 1))
    if plan is None:
        remedy = "make one by `python -m benchmarks plan` with --scenarios or --worlds"
        raise typer.BadParameter(f"no plan is stored for {scenario.name}: {remedy}")
    return plan


def make_plans(
    scenarios: Sequence[Scenario], shoppers: int, rounds: int, *, again: bool, progress: Callable[[str], None]
) -> None:
    """Make the plans that are not stored yet, or all ``again``; each is stored at once."""
    rulebook = Rulebook.of(example(), 1)
    for scenario in scenarios:
        key, plans = plan_key(scenario, rulebook), read_plans()
        if key in plans and not again:
            progress(f"{key} is stored")
            continue
        document = make_plan(scenario, rulebook, shoppers, rounds).to_document()
        made = {"shoppers": shoppers, "rounds": rounds}
        plans = {**read_plans(), key: {**document, "twin": made}}
        text = json.dumps({"made_by": "python -m benchmarks plan", "plans": dict(sorted(plans.items()))}, indent=1)
        FILE.write_text(f"{text}\n", encoding="utf-8")
        progress(f"{key}: {document}")
