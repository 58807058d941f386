"""Make the plans of the planner: what consents are worth in a scenario, and the planner's prices."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.publishing import parse_span
from decision_service.catalogues.file import example
from policies.catalogue.rulebook import Rulebook
from simulators.family.draw import draw_world
from simulators.plans import stored_plans
from simulators.plans.plan import Plan
from simulators.plans.price_search import make_plan
from simulators.plans.stored_plans import plan_key, read_plans, stored_plan
from simulators.scenario import SCENARIOS, Scenario, find_scenario

FILE = Path(stored_plans.__file__).with_name("plans.json")


def choose_scenarios(names: str, worlds: str, weeks: int | None = None) -> list[Scenario]:
    """Return named scenarios (``stationary,drift``, or ``all``) and worlds of the family (``20:60``).

    ``weeks`` gives all of them another length.

    Raises
    ------
    ValueError
        When nothing is named, there is no such scenario, or one does not fit into the length.
    """
    chosen = [*SCENARIOS] if names == "all" else [name for name in names.split(",") if name]
    numbers = parse_span(worlds) if worlds else ()
    scenarios = [*map(find_scenario, chosen), *map(draw_world, numbers)]
    if not scenarios:
        raise ValueError("name scenarios or worlds")
    return scenarios if weeks is None else [scenario.with_weeks(weeks) for scenario in scenarios]


def require_plan(scenario: Scenario) -> Plan:
    """Return the stored plan of a scenario with the example catalogue.

    Raises
    ------
    ValueError
        When none is stored.
    """
    plan = stored_plan(scenario, Rulebook.of(example(), 1))
    if plan is None:
        remedy = "make one by `python -m benchmarks plan` with --scenarios or --worlds"
        raise ValueError(f"no plan is stored for {scenario.name}: {remedy}")
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
