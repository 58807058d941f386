"""The comparison of policies with the rule and the planner, in scenarios and worlds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.regret.runs import NO_SEND, REFERENCES, Field, finish_all
from simulators.experiments.contender import RULE
from simulators.regret.run_store import RunStore
from simulators.regret.standings import Standings
from simulators.shops.planner import PLANNER


@dataclass(frozen=True)
class RunKeeping:
    """Where finished runs are kept, in how many processes others are done, and who hears of the progress."""

    store: RunStore
    processes: int | None
    progress: Callable[[str], None]


def compare(field: Field, policies: Sequence[str], keeping: RunKeeping) -> Standings:
    """Return the standings of policies in a field: runs that are kept are not done again.

    Raises
    ------
    typer.BadParameter
        When no plan is stored for a scenario.
    """
    contenders = [*dict.fromkeys([*policies, *REFERENCES])]
    runs = finish_all([*field.jobs(contenders)], keeping.store, keeping.processes, keeping.progress)
    by_scenario = {
        scenario.name: {name: [runs[field.task(scenario, seed, name)] for seed in field.seeds] for name in contenders}
        for scenario in field.scenarios
    }
    return Standings(by_scenario, field.is_family, RULE, PLANNER, NO_SEND)
