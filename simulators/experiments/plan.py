"""The plan of the planner in a scenario: what a consent is worth there, and the planner's prices.

Both come from simulations of a twin population: the same world with other shoppers than those that the planner is
judged on. They take minutes, so the plans of the named scenarios and of the worlds of the family with the example
catalogue are stored in ``plans.json``; ``python -m benchmarks plan`` makes the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from typing import Any

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.counts import Counts
from simulators.experiments.simulation import Simulation
from simulators.experiments.study import Contender, ReportHours
from simulators.family.draw import draw_world
from simulators.random_streams import Seeds
from simulators.scenario import CALENDAR_WEEKS, SCENARIOS, Scenario
from simulators.shops.later_costs import ConsentWorth, Prices
from simulators.shops.planner import PLANNER, Planner
from simulators.world.messages import Messages
from simulators.world.world import World

TWIN_SHOP, FIRST_TWIN = 1_000_003, 1_000_000_000
"""The seeds of the shop and of the first shopper of twin populations: nobody is judged on them."""

_WORLD = "world-"


@dataclass(frozen=True)
class Plan:
    """What a consent is worth in a scenario, and the prices of the planner."""

    worth: ConsentWorth
    prices: Prices

    def to_document(self) -> dict[str, Any]:
        """Return the plan as JSON stores it."""
        return {"worth": dict(self.worth), "prices": asdict(self.prices)}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Plan:
        """Read a plan that `to_document` wrote."""
        return cls(dict(document["worth"]), Prices(**document["prices"]))


def stored_plan(scenario: Scenario, rulebook: Rulebook) -> Plan | None:
    """Return the stored plan of a scenario with any length, None without one for this scenario and catalogue."""
    known = _find_scenario(scenario.name)
    if known is None or _without_weeks(known) != _without_weeks(scenario):
        return None
    document = read_plans().get(plan_key(scenario, rulebook))
    return None if document is None else Plan.of_document(document)


def read_plans() -> dict[str, Any]:
    """Return all stored plans by their keys."""
    text = (files("simulators.experiments") / "plans.json").read_text(encoding="utf-8")
    plans: dict[str, Any] = json.loads(text)["plans"]
    return plans


def plan_key(scenario: Scenario, rulebook: Rulebook) -> str:
    """Return the key of a plan: scenario, version, and what the planner sees of the catalogue."""
    space, catalogue = rulebook.space, rulebook.catalogue
    triggers = [message.triggers for message in catalogue.messages.values()]
    seen = (space.messages, space.categories, space.channels, space.delays_s, triggers, rulebook.costs.tolist())
    return f"{scenario.name} v{scenario.version} {hashlib.blake2b(repr(seen).encode(), digest_size=4).hexdigest()}"


def planner_contender(make: Callable[[], Plan], rulebook: Rulebook) -> Contender:
    """Return the planner as a contender, with the plan that ``make`` returns when it is to play."""

    def play(world: World, seed: int, report_hours: ReportHours) -> Counts:
        plan = make()
        planner = Planner(world, rulebook, plan.worth, [plan.prices], str(seed).encode())
        simulation = Simulation(planner, world, rulebook, f"{world.scenario.name}-{seed}", planner.campaign)
        simulation.run(report_hours)
        return simulation.counts

    return Contender(PLANNER, play)


def twin_world(scenario: Scenario, rulebook: Rulebook, shoppers: int, copies: int = 1) -> World:
    """Return the twin population of a scenario: equal copies of the same shoppers, one after the other.

    What is done to one copy changes no other, so that one run compares as many ways of deciding as there are copies.
    """
    seeds = tuple(range(FIRST_TWIN, FIRST_TWIN + shoppers))
    return World(scenario, shoppers * copies, Seeds(TWIN_SHOP, seeds * copies), Messages.of(rulebook))


def _find_scenario(name: str) -> Scenario | None:
    number = name.removeprefix(_WORLD)
    if name.startswith(_WORLD) and number.isdecimal():
        return draw_world(int(number))
    return SCENARIOS.get(name)


def _without_weeks(scenario: Scenario) -> Scenario:
    return replace(scenario, weeks=CALENDAR_WEEKS)
