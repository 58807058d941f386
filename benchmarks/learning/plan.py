"""Make the plans of the planner: what consents are worth in a scenario, and the planner's prices."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from decision_service.catalogues.file import example
from policies.catalogue.rulebook import Rulebook
from simulators.experiments import plan as stored
from simulators.experiments.plan import plan_key, read_plans
from simulators.experiments.price_search import make_plan
from simulators.scenario import Scenario

FILE = Path(stored.__file__).with_name("plans.json")


def make_plans(
    scenarios: Sequence[Scenario], shoppers: int, rounds: int, again: bool, progress: Callable[[str], None]
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
