"""The plans that are stored: those of the named scenarios and of worlds of the family, with the example catalogue.

To find a plan takes minutes. ``plans.json`` holds the plans; ``python -m benchmarks plan`` makes the file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

from policies.catalogue.rulebook import Rulebook
from simulators.family.draw import draw_world
from simulators.plans.plan import Plan
from simulators.scenarios.scenario import CALENDAR_WEEKS, SCENARIOS, Scenario

_WORLD = "world-"


def stored_plan(scenario: Scenario, rulebook: Rulebook) -> Plan | None:
    """Return the stored plan of a scenario with any length, None without one for this scenario and catalogue."""
    known = _find_scenario(scenario.name)
    if known is None or _without_weeks(known) != _without_weeks(scenario):
        return None
    document = read_plans().get(plan_key(scenario, rulebook))
    return None if document is None else Plan.of_document(document)


def read_plans() -> dict[str, Any]:
    """Return all stored plans by their keys."""
    text = (files("simulators.plans") / "plans.json").read_text(encoding="utf-8")
    plans: dict[str, Any] = json.loads(text)["plans"]
    return plans


def plan_key(scenario: Scenario, rulebook: Rulebook) -> str:
    """Return the key of a plan: scenario, version, and what the planner sees of the catalogue."""
    space, catalogue = rulebook.space, rulebook.catalogue
    triggers = [message.triggers for message in catalogue.messages.values()]
    seen = (space.messages, space.categories, space.channels, space.delays_s, triggers, rulebook.costs.tolist())
    return f"{scenario.name} v{scenario.version} {hashlib.blake2b(repr(seen).encode(), digest_size=4).hexdigest()}"


def _find_scenario(name: str) -> Scenario | None:
    number = name.removeprefix(_WORLD)
    if name.startswith(_WORLD) and number.isdecimal():
        return draw_world(int(number))
    return SCENARIOS.get(name)


def _without_weeks(scenario: Scenario) -> Scenario:
    return replace(scenario, weeks=CALENDAR_WEEKS)
