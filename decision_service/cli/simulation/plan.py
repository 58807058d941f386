"""The plan by which the planner decides in a simulation."""

from __future__ import annotations

from rich.console import Console

from simulators.experiments.study import Study
from simulators.plans.plan import Plan
from simulators.plans.price_search import SHOPPERS, make_plan
from simulators.plans.stored_plans import stored_plan

ROUNDS = 1
"""Rounds of the search of the planner's prices where no plan is stored."""


def find_plan(study: Study, console: Console) -> Plan:
    """Return the planner's plan of a study: the stored one, or one that is made now."""
    plan = stored_plan(study.scenario, study.rulebook)
    if plan is None:
        shoppers = min(SHOPPERS, study.shoppers)
        console.print(
            f"No plan is stored for {study.scenario.name} with this catalogue: simulating {shoppers} other shoppers to "
            f"find what a consent is worth, and the planner's prices; this may take minutes."
        )
        plan = make_plan(study.scenario, study.rulebook, shoppers, ROUNDS)
    return plan
